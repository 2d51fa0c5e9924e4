#include "policy/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace switchyard::policy {
namespace {

// Less than this is rounding.
constexpr double kNothing = 1e-6;

}  // namespace

RateBucket::RateBucket(std::int64_t per_minute, double now_s)
    : per_minute_(per_minute), since_s_(now_s) {}

double RateBucket::Taken(double now_s) const {
  const double refilled =
      static_cast<double>(per_minute_) / 60 * std::max(0.0, now_s - since_s_);
  return std::max(0.0, taken_ - refilled);
}

void RateBucket::SetLimit(std::int64_t per_minute, double now_s) {
  taken_ = Taken(now_s);
  since_s_ = std::max(since_s_, now_s);
  per_minute_ = per_minute;
}

double RateBucket::WaitFor(double amount, double now_s) const {
  if (per_minute_ == 0) return 0;
  const auto limit = static_cast<double>(per_minute_);
  const double lacking = Taken(now_s) + amount - limit;
  return lacking <= kNothing ? 0 : lacking / (limit / 60);
}

void RateBucket::Take(double amount, double now_s) {
  if (per_minute_ == 0) return;
  taken_ = std::max(0.0, Taken(now_s) + amount);
  since_s_ = std::max(since_s_, now_s);
}

RateBudget RateBucket::Budget(double now_s) const {
  if (per_minute_ == 0) return {};
  const double taken = Taken(now_s);
  const auto limit = static_cast<double>(per_minute_);
  const double left = std::floor(std::max(0.0, limit - taken) + kNothing);
  return {per_minute_, static_cast<std::int64_t>(left), taken / (limit / 60)};
}

RateLimiter::RateLimiter(const RateLimits& limits, double now_s)
    : limits_(limits),
      requests_(limits.requests_per_minute, now_s),
      tokens_(limits.tokens_per_minute, now_s) {}

void RateLimiter::SetLimits(const RateLimits& limits, double now_s) {
  limits_ = limits;
  requests_.SetLimit(limits.requests_per_minute, now_s);
  tokens_.SetLimit(limits.tokens_per_minute, now_s);
}

RateDecision RateLimiter::Ask(std::int64_t tokens, double now_s) {
  RateDecision decision;
  const std::int64_t reserved =
      tokens_.per_minute() == 0 ? 0 : std::clamp<std::int64_t>(tokens, 0, tokens_.per_minute());
  const double for_request = requests_.WaitFor(1, now_s);
  const double for_tokens = tokens_.WaitFor(static_cast<double>(reserved), now_s);
  if (limits_.concurrent > 0 && running_ >= limits_.concurrent) {
    decision.refusal = RateRefusal::kConcurrent;
  } else if (for_request > 0 || for_tokens > 0) {
    decision.refusal =
        for_request >= for_tokens ? RateRefusal::kRequests : RateRefusal::kTokens;
    decision.retry_after_s = std::max(for_request, for_tokens);
  } else {
    ++running_;
    requests_.Take(1, now_s);
    tokens_.Take(static_cast<double>(reserved), now_s);
    decision.reserved_tokens = reserved;
  }
  decision.requests = requests_.Budget(now_s);
  decision.tokens = tokens_.Budget(now_s);
  return decision;
}

void RateLimiter::Leave(std::int64_t reserved_tokens, std::int64_t used_tokens, double now_s) {
  --running_;
  tokens_.Take(static_cast<double>(used_tokens - reserved_tokens), now_s);
}

}  // namespace switchyard::policy
