#include "gateway/felt_log.h"

#include <gtest/gtest.h>

namespace switchyard::gateway {
namespace {

TEST(FeltLog, ReportsASpanOfTime) {
  FeltLog log(1000);
  for (int i = 1; i <= 100; ++i) {
    log.Add({.moves = i % 10 == 0 ? 1 : 0,
             .tokens = 5,
             .first_token_ms = 1.0 * i,
             .longest_gap_ms = 2.0 * i},
            10);
  }
  log.Add({.outcome = Outcome::kBroken}, 10);
  log.Add({.outcome = Outcome::kRefused}, 20);  // later
  const FeltReport report = log.Report(10, 20);
  EXPECT_EQ(report.requests, 101);
  EXPECT_EQ(report.whole, 100);
  EXPECT_EQ(report.moved, 10);
  EXPECT_EQ(report.broken, 1);
  EXPECT_EQ(report.refused, 0);
  EXPECT_EQ(report.tokens, 500);
  EXPECT_EQ(report.first_token_p50_ms, 50);
  EXPECT_EQ(report.first_token_p99_ms, 99);
  EXPECT_EQ(report.gap_most_ms, 200);
}

TEST(FeltLog, ForgetsTheOldest) {
  FeltLog log(2);
  for (int i = 0; i < 5; ++i) log.Add({}, i);
  EXPECT_EQ(log.Report(0, 100).requests, 2);
  EXPECT_EQ(log.Report(3, 100).requests, 2);
  EXPECT_EQ(FeltLog(2).Report(0, 100).gap_p99_ms, 0);
}

}  // namespace
}  // namespace switchyard::gateway
