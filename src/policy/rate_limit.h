// What one caller may still ask for: requests and tokens by the minute, each a bucket that fills
// steadily and holds a minute's worth, and how much at once. A refusal tells when to come again.
//
// Pure: the time comes from the caller, in seconds of a clock that does not go back. One owner, one
// thread.
#pragma once

#include <cstdint>

namespace switchyard::policy {

// 0: no such limit.
struct RateLimits {
  std::int64_t requests_per_minute = 0;
  std::int64_t tokens_per_minute = 0;
  std::int64_t concurrent = 0;
  friend bool operator==(const RateLimits&, const RateLimits&) = default;
};

enum class RateRefusal : std::uint8_t { kNone, kRequests, kTokens, kConcurrent };

// One of the limits, after the decision.
struct RateBudget {
  std::int64_t limit = 0;  // by the minute; 0: none
  std::int64_t remaining = 0;
  double reset_s = 0;  // until all of it is there again, if nobody asks
};

struct RateDecision {
  RateRefusal refusal = RateRefusal::kNone;
  // Of kRequests and kTokens: the same request is admitted then, if nobody else comes before.
  double retry_after_s = 0;
  std::int64_t reserved_tokens = 0;  // to be given to Leave
  RateBudget requests;
  RateBudget tokens;
};

// Holds up to a minute's worth, and may owe.
class RateBucket {
 public:
  // Full. `per_minute` 0: without limit.
  RateBucket(std::int64_t per_minute, double now_s);

  // Keeps what was taken.
  void SetLimit(std::int64_t per_minute, double now_s);
  // Until `amount`, which is no more than the limit, is there.
  double WaitFor(double amount, double now_s) const;
  void Take(double amount, double now_s);  // negative gives back
  RateBudget Budget(double now_s) const;
  std::int64_t per_minute() const { return per_minute_; }

 private:
  double Taken(double now_s) const;

  std::int64_t per_minute_;
  double taken_ = 0;  // of a full bucket, at `since_s_`
  double since_s_;
};

class RateLimiter {
 public:
  RateLimiter(const RateLimits& limits, double now_s);

  void SetLimits(const RateLimits& limits, double now_s);
  // `tokens`: as many as the request may come to, as far as that is known. More than the limit
  // count as the limit, so that a long request waits for a full bucket and is not refused for ever.
  RateDecision Ask(std::int64_t tokens, double now_s);
  // An admitted request has ended; what it used beyond the reserved is owed.
  void Leave(std::int64_t reserved_tokens, std::int64_t used_tokens, double now_s);

 private:
  RateLimits limits_;
  RateBucket requests_;
  RateBucket tokens_;
  std::int64_t running_ = 0;
};

}  // namespace switchyard::policy
