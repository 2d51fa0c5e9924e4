#include "policy/retry_budget.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace switchyard::policy {
namespace {

TEST(RetryBudget, AShareOfRequestsAndSomeBySecond) {
  RetryBudget budget({.share = 0.5, .per_second = 1, .burst_s = 2}, 0);
  EXPECT_TRUE(budget.Retry(0));
  EXPECT_TRUE(budget.Retry(0));
  EXPECT_FALSE(budget.Retry(0));  // the burst is spent
  budget.Request(0);
  EXPECT_FALSE(budget.Retry(0));
  budget.Request(0);
  EXPECT_TRUE(budget.Retry(0));
  EXPECT_FALSE(budget.Retry(0.9));
  EXPECT_TRUE(budget.Retry(1));
}

TEST(RetryBudget, NoneWhereNoneAreAllowed) {
  RetryBudget budget({.share = 0, .per_second = 0}, 0);
  budget.Request(0);
  EXPECT_FALSE(budget.Retry(1000));
}

RC_GTEST_PROP(RetryBudgetProperty, NeverMoreThanShareAndTimeAllow, ()) {
  const RetryLimits limits{.share = *rc::gen::inRange(0, 10) / 10.0,
                           .per_second = *rc::gen::inRange(0, 5) * 1.0,
                           .burst_s = *rc::gen::inRange(0, 5) * 1.0};
  RetryBudget budget(limits, 0);
  double now = 0;
  double requests = 0;
  double retries = 0;
  for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 30))) {
    now += step / 10.0;
    if (step % 3 == 0) {
      budget.Request(now);
      ++requests;
    } else {
      retries += budget.Retry(now) ? 1 : 0;
    }
    const double most = limits.per_second * (limits.burst_s + now) + limits.share * requests;
    RC_ASSERT(retries <= most + 1e-6);
  }
}

}  // namespace
}  // namespace switchyard::policy
