// What this gateway itself sees of a member, request by request: how many are there, how they end,
// how fast they are. Shared by the fleet's views and by attempts. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

#include "gateway/attempt.h"
#include "policy/breaker.h"
#include "policy/outliers.h"
#include "policy/rate_quantile.h"
#include "policy/route_facts.h"

namespace switchyard::gateway {

struct MemberCounts {
  std::uint64_t begun = 0;
  std::uint64_t finished = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t failed[kFailureCauses] = {};  // by FailureCause
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
};

class MemberRecord {
 public:
  explicit MemberRecord(const policy::BreakerLimits& limits) : breaker_(limits) {}

  static double Now();  // seconds, steady

  AttemptTimes Begin(std::int64_t prompt_tokens, std::int64_t cached_tokens, double now_s);
  void FirstToken(AttemptTimes& times, double now_s);  // once
  // One of these once, at the end.
  void Finished(const AttemptTimes& times, std::int64_t prompt_tokens,
                std::int64_t completion_tokens, double now_s);
  void Failed(const AttemptTimes& times, FailureCause cause, double retry_after_s, double now_s);
  void Cancelled(const AttemptTimes& times, double now_s);

  void OnCut(const AttemptTimes& times, std::function<void()> on_cut);
  // Calls them all; how many there were.
  std::size_t Cut();

  // Adds what is seen here to what the member says.
  void Describe(policy::RouteCandidate& candidate, double now_s) const;
  policy::BreakerState breaker(double now_s) const;
  MemberCounts counts() const;

  void SetLimits(const policy::BreakerLimits& limits);
  // It answers again after it was lost: the breaker may try at once.
  void Recovered();
  // Its times to the first token, and between two.
  policy::Pace FirstTokenPace(double now_s) const;
  policy::Pace TokenPace(double now_s) const;
  // It is much slower than usual and than the others: away for as long as after failures, and then
  // judged anew.
  void Eject(double now_s);

 private:
  void Count(double now_s);
  void End(const AttemptTimes& times, policy::AttemptEnd end, double now_s);

  mutable std::mutex mutex_;
  policy::Breaker breaker_;  // all guarded by `mutex_`
  MemberCounts counts_;
  std::int64_t in_flight_ = 0;
  std::int64_t unread_tokens_ = 0;  // of prompts in flight without a first token
  std::map<std::uint64_t, std::function<void()>> on_cut_;  // by the attempt's number
  double busy_until_s_ = 0;
  double served_tokens_ = 0;  // until `counted_s_`, falling with time
  double busy_s_ = 0;         // likewise
  double counted_s_ = 0;
  // Means that move fast and slowly.
  struct Times {
    double recent_ms = 0;
    double usual_ms = 0;
    std::int64_t samples = 0;
    void Add(double ms);
  };
  policy::Pace PaceOf(const Times& times, double now_s) const;
  Times first_token_;
  Times token_;
  policy::RateQuantile prefill_tokens_s_;  // of what it had to compute
};

}  // namespace switchyard::gateway
