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

enum class Standing { kNew, kMember, kAskingAgain, kRefused };

Standing After(const base::Result<base::Json>& answer) {
  if (answer) return Standing::kMember;
  const base::ErrorCode code = answer.error().code;
  const bool is_final = code == base::ErrorCode::kInvalidArgument ||
                        code == base::ErrorCode::kUnauthenticated ||
                        code == base::ErrorCode::kPermissionDenied;
  return is_final ? Standing::kRefused : Standing::kAskingAgain;
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
  Standing standing = Standing::kNew;
  bool was_member = false;
  milliseconds wait{0};
  while (WaitFor(wait)) {
    const auto answer = (*calls)->Post("members", member_);
    const Standing before = std::exchange(standing, After(answer));
    was_member |= answer.has_value();
    wait = answer ? RenewalTime(*answer) : kTryAgain;
    if (standing == Standing::kRefused && !was_member) Refused(answer.error());
    if (standing == before) continue;  // told once, not each second
    if (answer) {
      tell(base::LogLevel::kInfo, "member of a fleet", "");
    } else {
      tell(standing == Standing::kRefused ? base::LogLevel::kError : base::LogLevel::kWarn,
           "not registered, asking again", answer.error().message);
    }
  }
  if (standing != Standing::kMember) return;
  const std::string path = "members/" + base::TextAt(member_, "name");
  if (const auto gone = (*calls)->Delete(path); !gone) {
    tell(base::LogLevel::kWarn, "the gateway was not told of the end", gone.error().message);
  }
}

}  // namespace switchyard::cli
