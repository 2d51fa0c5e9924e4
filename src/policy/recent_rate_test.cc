#include "policy/recent_rate.h"

#include <gtest/gtest.h>

namespace switchyard::policy {
namespace {

TEST(RecentRate, TellsASteadyRateFromTheBeginning) {
  RecentRate rate(100);
  EXPECT_EQ(rate.PerSecond(100), 0);
  double now = 100;
  for (int i = 0; i < 1000; ++i) {
    now += 0.05;
    rate.Count(2, now);
    if (i < 20) continue;
    // One count more or less of the few that there are.
    EXPECT_NEAR(rate.PerSecond(now), 40, 2.5) << i;
  }
  EXPECT_NEAR(rate.PerSecond(now), 40, 0.2);
}

TEST(RecentRate, ForgetsByAndBy) {
  RecentRate rate(0);
  rate.Count(1000, 50);
  // A thousand within ten seconds' weight, and a 1/e of that ten seconds later.
  EXPECT_NEAR(rate.PerSecond(50), 100, 1);
  EXPECT_NEAR(rate.PerSecond(60), 36.8, 0.5);
  EXPECT_LT(rate.PerSecond(200), 1e-3);
}

}  // namespace
}  // namespace switchyard::policy
