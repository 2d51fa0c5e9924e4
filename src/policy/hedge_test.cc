#include "policy/hedge.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace switchyard::policy {
namespace {

constexpr HedgeLimits kByPercentile{.is_on = true, .percentile = 0.9, .share = 1};

HedgePolicy After(const HedgeLimits& limits, const std::vector<double>& first_tokens_ms) {
  HedgePolicy policy(limits, 0);
  for (const double ms : first_tokens_ms) policy.FirstToken("m", ms);
  return policy;
}

TEST(HedgePolicy, OffUnlessItIsWanted) {
  HedgePolicy policy({.delay_ms = 5, .share = 1}, 0);
  policy.Request(0);
  EXPECT_FALSE(policy.DelayMs("m"));
  EXPECT_FALSE(policy.Hedge(0));
}

TEST(HedgePolicy, AFixedDelayNeedsNothingSeen) {
  EXPECT_EQ(HedgePolicy({.is_on = true, .delay_ms = 120}, 0).DelayMs("m"), 120);
}

TEST(HedgePolicy, ByPercentileOfTheModelsOwnFirstTokens) {
  std::vector<double> seen;
  for (int i = 1; i <= 20; ++i) seen.push_back(i);
  HedgePolicy policy = After(kByPercentile, seen);
  EXPECT_EQ(policy.DelayMs("m"), 18);  // the 18th of 20
  EXPECT_FALSE(policy.DelayMs("other"));
  seen.pop_back();
  EXPECT_FALSE(After(kByPercentile, seen).DelayMs("m"));  // too few
}

TEST(HedgePolicy, WhatIsLongPastIsForgotten) {
  HedgePolicy policy = After(kByPercentile, std::vector<double>(HedgePolicy::kSamples, 1000));
  for (std::size_t i = 0; i < HedgePolicy::kSamples; ++i) policy.FirstToken("m", 10);
  EXPECT_EQ(policy.DelayMs("m"), 10);
}

TEST(HedgePolicy, NoMoreThanItsShare) {
  HedgePolicy policy({.is_on = true, .delay_ms = 1, .share = 0.25}, 0);
  int hedged = 0;
  for (int i = 0; i < 400; ++i) {
    policy.Request(i);
    hedged += policy.Hedge(i) ? 1 : 0;
  }
  EXPECT_EQ(hedged, 100);
}

// In any window of requests no more are hedged than their share of it and what was saved up before.
RC_GTEST_PROP(HedgePolicyProperty, NeverMoreThanTheShareAndTenSavedUp, ()) {
  const double share = *rc::gen::inRange(0, 11) / 10.0;
  HedgePolicy policy({.is_on = true, .delay_ms = 1, .share = share}, 0);
  double now = 0;
  std::vector<double> excess{0};  // hedges less what requests allowed, after each step
  for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 40))) {
    now += step;
    double change = 0;
    if (step % 2 == 0) {
      policy.Request(now);
      change = -share;
    } else if (policy.Hedge(now)) {
      change = 1;
    }
    excess.push_back(excess.back() + change);
  }
  double least = 0;
  for (const double at : excess) {
    RC_ASSERT(at <= 1e-6);  // from the start nothing is saved up
    least = std::min(least, at);
    RC_ASSERT(at - least <= 10 + share + 1e-6);
  }
}

// A count of those that were no slower, independent of any sorting.
RC_GTEST_PROP(HedgePolicyProperty, TheDelayIsTheLeastThatSoManyWereNoSlowerThan, ()) {
  const auto seen = *rc::gen::suchThat(
      rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 500)),
      [](const std::vector<int>& some) { return some.size() <= HedgePolicy::kSamples; });
  const int percent = *rc::gen::inRange(1, 101);
  HedgePolicy policy({.is_on = true, .percentile = percent / 100.0, .share = 1}, 0);
  for (const int ms : seen) policy.FirstToken("m", ms);
  const auto delay = policy.DelayMs("m");
  RC_ASSERT(delay.has_value() == (seen.size() >= HedgePolicy::kFewSamples));
  if (!delay) return;
  const auto no_slower = [&](double ms) {
    return 100 * std::ranges::count_if(seen, [ms](int one) { return one <= ms; });
  };
  RC_ASSERT(std::ranges::count(seen, static_cast<int>(*delay)) > 0);
  RC_ASSERT(no_slower(*delay) >= percent * std::ssize(seen));
  RC_ASSERT(no_slower(*delay - 1) < percent * std::ssize(seen));
}

}  // namespace
}  // namespace switchyard::policy
