#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

namespace switchyard::engine {
namespace {

TEST(StopMatcher, WithoutStopsEverythingPasses) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.Push("abc"), "abc");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcher, HoldsBackWhatMayBeAStop) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.Push("xE"), "x");
  EXPECT_EQ(matcher.Push("N"), "");
  EXPECT_EQ(matcher.Push("x"), "ENx");
  EXPECT_FALSE(matcher.stopped());
}

TEST(StopMatcher, StopsAcrossPieces) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.Push("aE"), "a");
  EXPECT_EQ(matcher.Push("NDb"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.Push("more"), "");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcher, TheEarliestStopWins) {
  StopMatcher matcher({"bb", "ab"});
  EXPECT_EQ(matcher.Push("xabb"), "x");
}

TEST(StopMatcher, OverlappingPrefixes) {
  StopMatcher matcher({"aab"});
  EXPECT_EQ(matcher.Push("aaa"), "a");
  EXPECT_EQ(matcher.Push("b"), "");
  EXPECT_TRUE(matcher.stopped());
}

TEST(StopMatcher, FinishGivesWhatWasHeldBack) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.Push("EN"), "");
  EXPECT_EQ(matcher.Finish(), "EN");
}

TEST(StopMatcher, MayIncludeTheStop) {
  StopMatcher matcher({"END", "ND!"}, true);
  EXPECT_EQ(matcher.Push("aE"), "a");
  EXPECT_EQ(matcher.Push("ND! more"), "END");
  EXPECT_TRUE(matcher.stopped());
}

TEST(StopMatcher, PassesTextInWhichNothingStops) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.Push("aEN"), "a");
  EXPECT_EQ(matcher.Pass("D END"), "END END");
  EXPECT_FALSE(matcher.stopped());
  EXPECT_EQ(matcher.Push("END"), "");
  EXPECT_TRUE(matcher.stopped());
}

}  // namespace
}  // namespace switchyard::engine
