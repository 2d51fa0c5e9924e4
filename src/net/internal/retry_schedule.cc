#include "net/internal/retry_schedule.h"

#include <algorithm>
#include <thread>

namespace switchyard::net::internal {
namespace {

// Longer than this a server's wish is better told to the user than obeyed in silence.
constexpr std::chrono::seconds kLongestRetryAfter{120};
constexpr int kMaxDoublings = 20;

}  // namespace

base::Status RetrySchedule::WaitAfter(const ExchangeFailure& failure) {
  if (!failure.may_pass) return std::unexpected(failure.error);
  if (++failures_ >= options_.max_attempts) {
    base::Error error = failure.error;
    if (failures_ > 1) error.message += fmt::format("; gave up after {} attempts", failures_);
    return std::unexpected(std::move(error));
  }
  std::chrono::milliseconds wait = std::min(
      options_.max_backoff, options_.first_backoff * (1 << std::min(failures_ - 1, kMaxDoublings)));
  if (failure.head.retry_after) {
    if (*failure.head.retry_after > kLongestRetryAfter) {
      base::Error error = failure.error;
      error.message += fmt::format(" (it names {} seconds)", failure.head.retry_after->count());
      return std::unexpected(std::move(error));
    }
    wait = std::max<std::chrono::milliseconds>(wait, *failure.head.retry_after);
  }
  if (options_.on_notice) {
    options_.on_notice(fmt::format("{}; trying again in {:.1f} s", failure.error.message,
                                   std::chrono::duration<double>(wait).count()));
  }
  std::this_thread::sleep_for(wait);
  return {};
}

}  // namespace switchyard::net::internal
