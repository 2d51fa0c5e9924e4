#include "policy/step_time.h"

#include <gtest/gtest.h>

namespace switchyard::policy {
namespace {

TEST(StepTime, FindsHowManyTokensFit) {
  StepTime time;
  EXPECT_EQ(time.TokensWithin(0.01, 512), 512);
  for (int i = 0; i < 40; ++i) {
    const std::int64_t tokens = 1 + (i * 37) % 200;
    time.Observe(tokens, 0.002 + 0.0001 * static_cast<double>(tokens));
  }
  EXPECT_NEAR(static_cast<double>(time.TokensWithin(0.0121, 512)), 101, 1);
  EXPECT_EQ(time.TokensWithin(10, 512), 512);
  EXPECT_EQ(time.TokensWithin(0.0001, 512), 1);
}

TEST(StepTime, EqualStepsSayNothing) {
  StepTime time;
  for (int i = 0; i < 40; ++i) time.Observe(16, 0.01);
  EXPECT_EQ(time.TokensWithin(0.005, 512), 512);
}

}  // namespace
}  // namespace switchyard::policy
