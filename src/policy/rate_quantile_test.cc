#include "policy/rate_quantile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace switchyard::policy {
namespace {

TEST(RateQuantile, NothingAndThenTheFirst) {
  RateQuantile rate;
  EXPECT_EQ(rate.value(), 0);
  rate.Add(500);
  EXPECT_EQ(rate.value(), 500);
}

TEST(RateQuantile, OneThatIsWrongMovesItLittle) {
  RateQuantile rate;
  for (int i = 0; i < 20; ++i) rate.Add(500);
  rate.Add(1e6);
  EXPECT_NEAR(rate.value(), 550, 1e-9);
  for (int i = 0; i < 20; ++i) rate.Add(500);
  EXPECT_NEAR(rate.value(), 500, 1e-9);
  rate.Add(1e-3);
  EXPECT_GT(rate.value(), 485);
}

TEST(RateQuantile, AWrongFirstOneIsForgotten) {
  RateQuantile rate;
  rate.Add(1e5);
  for (int i = 0; i < 250; ++i) rate.Add(500);
  EXPECT_NEAR(rate.value(), 500, 1e-9);
}

TEST(RateQuantile, FourInFiveLieBelow) {
  std::mt19937 random(1);
  std::lognormal_distribution<double> draw(std::log(800.0), 0.7);
  RateQuantile rate;
  int below = 0;
  for (int i = 0; i < 20'000; ++i) {
    const double sample = draw(random);
    below += sample <= rate.value() ? 1 : 0;
    rate.Add(sample);
  }
  EXPECT_NEAR(below / 20'000.0, 0.8, 0.05);
}

}  // namespace
}  // namespace switchyard::policy
