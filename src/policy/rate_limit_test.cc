#include "policy/rate_limit.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace switchyard::policy {
namespace {

TEST(RateLimiter, GivesAMinutesWorthAtOnceAndThenTheRate) {
  RateLimiter limiter({.requests_per_minute = 60}, 100);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(limiter.Ask(0, 100).refusal, RateRefusal::kNone);
  const RateDecision refused = limiter.Ask(0, 100);
  EXPECT_EQ(refused.refusal, RateRefusal::kRequests);
  EXPECT_NEAR(refused.retry_after_s, 1.0, 1e-9);
  EXPECT_EQ(refused.requests.limit, 60);
  EXPECT_EQ(refused.requests.remaining, 0);
  EXPECT_NEAR(refused.requests.reset_s, 60, 1e-9);
  EXPECT_EQ(limiter.Ask(0, 100.9).refusal, RateRefusal::kRequests);
  EXPECT_EQ(limiter.Ask(0, 101.0).refusal, RateRefusal::kNone);
}

TEST(RateLimiter, ChargesWhatWasUsedAndGivesBackWhatWasNot) {
  RateLimiter limiter({.tokens_per_minute = 600}, 0);
  const RateDecision first = limiter.Ask(500, 0);
  EXPECT_EQ(first.reserved_tokens, 500);
  EXPECT_EQ(first.tokens.remaining, 100);
  limiter.Leave(500, 200, 0);
  EXPECT_EQ(limiter.Ask(400, 0).refusal, RateRefusal::kNone);
  limiter.Leave(400, 700, 0);  // 300 are owed: 30 s
  const RateDecision refused = limiter.Ask(0, 0);
  EXPECT_EQ(refused.refusal, RateRefusal::kTokens);
  EXPECT_NEAR(refused.retry_after_s, 30, 1e-9);
}

TEST(RateLimiter, ARequestAboveTheLimitWaitsForAFullBucket) {
  RateLimiter limiter({.tokens_per_minute = 600}, 0);
  EXPECT_EQ(limiter.Ask(10'000, 0).reserved_tokens, 600);
  EXPECT_NEAR(limiter.Ask(10'000, 0).retry_after_s, 60, 1e-9);
  EXPECT_EQ(limiter.Ask(10'000, 60).refusal, RateRefusal::kNone);
}

TEST(RateLimiter, HoldsHowManyRunAtOnce) {
  RateLimiter limiter({.concurrent = 2}, 0);
  EXPECT_EQ(limiter.Ask(5, 0).refusal, RateRefusal::kNone);
  EXPECT_EQ(limiter.Ask(5, 0).refusal, RateRefusal::kNone);
  EXPECT_EQ(limiter.Ask(5, 0).refusal, RateRefusal::kConcurrent);
  limiter.Leave(0, 5, 0);
  EXPECT_EQ(limiter.Ask(5, 0).refusal, RateRefusal::kNone);
}

TEST(RateLimiter, NewLimitsForgetNothing) {
  RateLimiter limiter({.requests_per_minute = 10}, 0);
  for (int i = 0; i < 10; ++i) limiter.Ask(0, 0);
  limiter.SetLimits({.requests_per_minute = 12}, 0);
  EXPECT_EQ(limiter.Ask(0, 0).requests.remaining, 1);
}


// Whoever comes when it was told to is admitted, and whoever comes earlier is not.
RC_GTEST_PROP(RateLimiterProperty, RetryAfterIsTrue, ()) {
  const RateLimits limits{.requests_per_minute = *rc::gen::inRange<std::int64_t>(1, 100),
                          .tokens_per_minute = *rc::gen::inRange<std::int64_t>(1, 100'000)};
  RateLimiter limiter(limits, 0);
  double now = 0;
  const auto steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    const auto tokens = *rc::gen::inRange<std::int64_t>(0, 150'000);
    const RateDecision decision = limiter.Ask(tokens, now);
    if (decision.refusal != RateRefusal::kNone) {
      RC_ASSERT(decision.retry_after_s > 0);
      if (decision.retry_after_s > 0.01) {  // else rounding lets it in
        RateLimiter early = limiter;
        RC_ASSERT(early.Ask(tokens, now + decision.retry_after_s / 2).refusal !=
                  RateRefusal::kNone);
      }
      now += decision.retry_after_s;
      RC_ASSERT(limiter.Ask(tokens, now).refusal == RateRefusal::kNone);
    }
    limiter.Leave(std::min(tokens, limits.tokens_per_minute),
                  *rc::gen::inRange<std::int64_t>(0, 1000), now);
    now += static_cast<double>(*rc::gen::inRange(0, 2000)) / 1000;
  }
}

// Over any span, no more is admitted than a full bucket and what flowed in meanwhile.
RC_GTEST_PROP(RateLimiterProperty, NeverAdmitsMoreThanTheRate, ()) {
  const auto per_minute = *rc::gen::inRange<std::int64_t>(1, 1000);
  RateLimiter limiter({.requests_per_minute = per_minute}, 0);
  double now = 0;
  std::vector<double> admitted;
  const auto steps = *rc::gen::inRange(1, 300);
  for (int i = 0; i < steps; ++i) {
    if (limiter.Ask(0, now).refusal == RateRefusal::kNone) admitted.push_back(now);
    now += static_cast<double>(*rc::gen::inRange(0, 500)) / 1000;
  }
  const auto rate = static_cast<double>(per_minute);
  for (std::size_t i = 0; i < admitted.size(); ++i) {
    for (std::size_t j = i; j < admitted.size(); ++j) {
      const double flowed = rate + rate / 60 * (admitted[j] - admitted[i]);
      RC_ASSERT(static_cast<double>(j - i + 1) <= flowed + 1e-3);
    }
  }
}

}  // namespace
}  // namespace switchyard::policy
