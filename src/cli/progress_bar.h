// Shows how a fetch goes on: on a terminal one line that is drawn over, elsewhere a plain line
// every few seconds. Writes to standard error. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "cli/model_store.h"

namespace switchyard::cli {

class ProgressBar {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ProgressBar(std::FILE* stream);

  void Update(const PullProgress& progress);
  // A line of its own, above the bar.
  void Say(std::string_view text);
  // Leaves the last state standing; harmless when nothing was shown.
  void Finish();

 private:
  void Draw(const PullProgress& progress, Clock::time_point now);
  void FollowRate(const PullProgress& progress, Clock::time_point now);

  std::FILE* stream_;
  bool is_terminal_;
  bool is_drawn_ = false;
  std::optional<PullProgress> last_;
  Clock::time_point last_shown_;
  // The rate over the last seconds, decayed exponentially.
  Clock::time_point rate_time_;
  std::uint64_t rate_bytes_ = 0;
  double rate_bytes_per_s_ = 0;
};

// "93.8 MB", in powers of ten, as file managers and hubs count.
std::string FormatBytes(std::uint64_t bytes);
// "1:05" or "2:03:09".
std::string FormatDuration(std::chrono::seconds duration);
// The bar's line for a terminal of `width` columns.
std::string FormatProgress(const PullProgress& progress, double rate_bytes_per_s,
                           std::size_t width);

}  // namespace switchyard::cli
