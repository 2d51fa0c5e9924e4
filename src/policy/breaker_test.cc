#include "policy/breaker.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace switchyard::policy {
namespace {

constexpr BreakerLimits kBreakerLimits{.failures = 3, .open_s = 2, .longest_s = 5};

void EndAll(Breaker& breaker, AttemptEnd end, double now_s, int times = 1) {
  for (int i = 0; i < times; ++i) breaker.End(breaker.Begin(now_s), end, now_s);
}

TEST(Breaker, OpensAfterFailuresInARowAndClosesByTrials) {
  Breaker breaker(kBreakerLimits);
  EndAll(breaker, AttemptEnd::kFailed, 0, 2);
  EndAll(breaker, AttemptEnd::kSucceeded, 0);
  EndAll(breaker, AttemptEnd::kFailed, 0, 2);
  EXPECT_TRUE(breaker.Admits(0));
  EndAll(breaker, AttemptEnd::kFailed, 0);
  EXPECT_EQ(breaker.StateAt(1.9), BreakerState::kOpen);
  EXPECT_FALSE(breaker.Admits(1.9));
  EXPECT_NEAR(breaker.WaitFor(1.5), 0.5, 1e-9);
  EXPECT_EQ(breaker.StateAt(2), BreakerState::kHalfOpen);
  const auto trial = breaker.Begin(2);
  EXPECT_FALSE(breaker.Admits(2));  // one at once
  breaker.End(trial, AttemptEnd::kSucceeded, 3);
  EXPECT_EQ(breaker.StateAt(3), BreakerState::kHalfOpen);
  EndAll(breaker, AttemptEnd::kSucceeded, 3);
  EXPECT_EQ(breaker.StateAt(3), BreakerState::kClosed);
}

TEST(Breaker, AFailedTrialOpensForLongerUpToTheLongest) {
  Breaker breaker(kBreakerLimits);
  EndAll(breaker, AttemptEnd::kFailed, 0, 3);
  EndAll(breaker, AttemptEnd::kFailed, 2);  // 4 s now
  EXPECT_FALSE(breaker.Admits(5.9));
  EndAll(breaker, AttemptEnd::kFailed, 6);  // 5 s
  EXPECT_FALSE(breaker.Admits(10.9));
  EXPECT_TRUE(breaker.Admits(11));
}

TEST(Breaker, AClientThatLeavesIsNoFailureAndGivesTheTrialBack) {
  Breaker breaker(kBreakerLimits);
  EndAll(breaker, AttemptEnd::kCancelled, 0, 100);
  EXPECT_EQ(breaker.StateAt(0), BreakerState::kClosed);
  EndAll(breaker, AttemptEnd::kFailed, 0, 3);
  EndAll(breaker, AttemptEnd::kCancelled, 2);
  EXPECT_EQ(breaker.StateAt(2), BreakerState::kHalfOpen);
  EXPECT_TRUE(breaker.Admits(2));
}

TEST(Breaker, WhatBeganBeforeItOpenedSaysNothing) {
  Breaker breaker(kBreakerLimits);
  std::vector<Breaker::Pass> passes;
  for (int i = 0; i < 20; ++i) passes.push_back(breaker.Begin(0));
  for (int i = 0; i < 10; ++i)
    breaker.End(passes[static_cast<std::size_t>(i)], AttemptEnd::kFailed, 0);
  for (int i = 10; i < 20; ++i) {
    breaker.End(passes[static_cast<std::size_t>(i)], AttemptEnd::kSucceeded, 2.5);
  }
  EXPECT_EQ(breaker.StateAt(2.5), BreakerState::kHalfOpen);
}

TEST(Breaker, OpensOnAShareOfFailures) {
  Breaker breaker(kBreakerLimits);
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(breaker.Admits(0)) << i;
    EndAll(breaker, AttemptEnd::kSucceeded, 0);
    EndAll(breaker, AttemptEnd::kFailed, 0);
  }
  EXPECT_FALSE(breaker.Admits(0));
}

// Whatever happens: it never admits more trials than it may, and with only good outcomes it is
// closed again in the end.
RC_GTEST_PROP(BreakerProperty, BoundedTrialsAndAWayBack, ()) {
  BreakerLimits limits;
  limits.failures = *rc::gen::inRange(1, 6);
  limits.trials = *rc::gen::inRange(1, 4);
  limits.successes = *rc::gen::inRange(1, 4);
  Breaker breaker(limits);
  double now = 0;
  std::vector<Breaker::Pass> open;
  for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100))) {
    now += step % 7 * 0.5;
    if (open.empty() || step % 2 == 0) {
      if (!breaker.Admits(now)) continue;
      open.push_back(breaker.Begin(now));
      const bool is_half_open = breaker.StateAt(now) == BreakerState::kHalfOpen;
      if (is_half_open) {
        const std::uint64_t era = open.back().era;
        std::int64_t same_era = 0;
        for (const auto& pass : open) same_era += pass.era == era ? 1 : 0;
        RC_ASSERT(same_era <= limits.trials);
      }
    } else {
      const auto pass = open.back();
      open.pop_back();
      breaker.End(pass, static_cast<AttemptEnd>(step % 3), now);
    }
  }
  for (const auto& pass : open) breaker.End(pass, AttemptEnd::kCancelled, now);
  now += limits.longest_s;
  for (int i = 0; i < 4; ++i) {
    RC_ASSERT(breaker.Admits(now));
    EndAll(breaker, AttemptEnd::kSucceeded, now);
  }
  RC_ASSERT(breaker.StateAt(now) == BreakerState::kClosed);
}

}  // namespace
}  // namespace switchyard::policy
