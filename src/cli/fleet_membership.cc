#include "cli/fleet_membership.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/json_reading.h"

namespace switchyard::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTryAgain{1'000};
constexpr milliseconds kSoonest{200};

// Two of the tries may be lost before a lease ends.
milliseconds RenewalTime(const base::Json& answer) {
  const double lease_s = base::NumberAt(answer, "lease_seconds");
  return std::max(kSoonest, milliseconds(static_cast<std::int64_t>(lease_s * 1000 / 3)));
}

bool IsFinal(const base::Error& error) {
  return error.code == base::ErrorCode::kInvalidArgument ||
         error.code == base::ErrorCode::kUnauthenticated ||
         error.code == base::ErrorCode::kPermissionDenied;
}

}  // namespace

FleetMembership::FleetMembership(std::vector<GatewayAddress> gateways, base::Json member,
                                 base::LogSink log)
    : member_(std::move(member)), log_(std::move(log)) {
  for (GatewayAddress& address : gateways) {
    threads_.emplace_back([this, address = std::move(address)] { Renew(address); });
  }
}

FleetMembership::~FleetMembership() { Leave(); }

void FleetMembership::Leave() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  over_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool FleetMembership::WaitFor(milliseconds time) {
  std::unique_lock lock(mutex_);
  return !over_.wait_for(lock, time, [this] { return is_over_; });
}

std::optional<base::Error> FleetMembership::refusal() const {
  const std::lock_guard lock(mutex_);
  return refusal_;
}

void FleetMembership::Refused(const base::Error& error) {
  const std::lock_guard lock(mutex_);
  if (!refusal_) refusal_ = error;
}

void FleetMembership::Renew(const GatewayAddress& address) {
  const auto tell = [&](base::LogLevel level, const char* message, const std::string& why) {
    log_({level, message, {{"gateway", address.url}, {"why", why}}});
  };
  const auto calls = GatewayCalls::Create(address);
  if (!calls) {
    Refused(calls.error());
    return tell(base::LogLevel::kError, "no member of a fleet", calls.error().message);
  }
  bool is_member = false;
  bool was_member = false;
  bool is_told = false;
  bool was_final = false;
  milliseconds wait{0};
  while (WaitFor(wait)) {
    const auto answer = (*calls)->Post("members", member_);
    if (answer && !is_member) tell(base::LogLevel::kInfo, "member of a fleet", "");
    const bool is_final = !answer && IsFinal(answer.error());
    // Once, not each second.
    if (!answer && (is_member || !is_told || (is_final && !was_final))) {
      tell(is_final ? base::LogLevel::kError : base::LogLevel::kWarn,
           "not registered, asking again", answer.error().message);
      is_told = true;
    }
    if (is_final && !was_member) Refused(answer.error());
    is_member = answer.has_value();
    was_member |= is_member;
    was_final = is_final;
    wait = answer ? RenewalTime(*answer) : kTryAgain;
  }
  if (!is_member) return;
  const std::string path = "members/" + base::TextAt(member_, "name");
  if (const auto gone = (*calls)->Delete(path); !gone) {
    tell(base::LogLevel::kWarn, "the gateway was not told of the end", gone.error().message);
  }
}

}  // namespace switchyard::cli
