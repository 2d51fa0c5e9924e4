// Expected values by hand: distributions whose probabilities are simple fractions.
#include "certify/divergence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace switchyard::certify {
namespace {

using testing::DoubleNear;
using testing::Each;

// Logits of which a constant was taken, which changes nothing.
std::vector<float> Logits(std::initializer_list<double> probabilities, double constant = 0) {
  std::vector<float> logits;
  for (const double p : probabilities) {
    logits.push_back(static_cast<float>(std::log(p) - constant));
  }
  return logits;
}

TEST(Divergence, IsTheSumOverTheDistribution) {
  // 1/2 ln 2 + 1/2 ln(2/3)
  EXPECT_NEAR(KlDivergence(Logits({0.5, 0.5}), Logits({0.25, 0.75}, 7)),
              0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3.0), 1e-7);
  EXPECT_EQ(KlDivergence(Logits({0.1, 0.2, 0.7}), Logits({0.1, 0.2, 0.7})), 0);
}

TEST(Divergence, OfWhatIsNoNumberIsTheWorst) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(KlDivergence(Logits({0.5, 0.5}), std::vector<float>{nan, 0}), kWorstKl);
  EXPECT_EQ(KlDivergence(Logits({0.5, 0.5}), std::vector<float>{-infinity, 0}), kWorstKl);
}

TEST(Divergence, LargeLogitsDoNotOverflow) {
  const std::vector<float> large = {30000, 29999};
  const std::vector<float> small = {1, 0};
  EXPECT_NEAR(KlDivergence(large, small), 0, 1e-12);
}

TEST(Divergence, GapIsBetweenTheTwoLargest) {
  const std::vector<float> logits = {1, 5, 3, 5.5F, -2};
  EXPECT_EQ(Best(logits), 3U);
  EXPECT_EQ(GapToSecond(logits), 0.5);
}

TEST(Divergence, SummaryOfPositions) {
  DivergenceStatistics statistics;
  const auto even = Logits({0.5, 0.5});
  for (int i = 0; i < 99; ++i) statistics.Add(even, even, 0);
  const auto other = Logits({0.25, 0.75});
  statistics.Add(even, other, 0);
  Divergence summary;
  statistics.Summarise(summary);
  const double worst = KlDivergence(even, other);
  EXPECT_EQ(summary.positions, 100);
  EXPECT_NEAR(summary.mean_kl, worst / 100, 1e-12);
  EXPECT_EQ(summary.worst_kl, worst);
  // 0.99 of the way through 100 values lies 0.01 of the way from the 99th to the 100th.
  EXPECT_NEAR(summary.p99_kl, 0.01 * worst, 1e-12);
  EXPECT_NEAR(summary.same_best, 0.99, 1e-12);
  EXPECT_NEAR(summary.perplexity_a, 2, 1e-6);
  EXPECT_NEAR(summary.perplexity_b, std::exp((99 * std::log(2.0) + std::log(4.0)) / 100), 1e-6);
  ASSERT_EQ(summary.kl_quantiles.size(), 21U);
  EXPECT_EQ(summary.kl_quantiles.back(), worst);
  summary.kl_quantiles.pop_back();
  EXPECT_THAT(summary.kl_quantiles, Each(DoubleNear(0, 1e-12)));
}

}  // namespace
}  // namespace switchyard::certify
