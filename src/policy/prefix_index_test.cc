#include "policy/prefix_index.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>

namespace switchyard::policy {
namespace {

std::string Text(char c, std::size_t steps) { return std::string(steps * kPrefixStep, c); }

CachedSteps StepsAt(const PrefixIndex& index, const std::string& text, std::uint64_t member,
                    double now_s = 0) {
  return index.Find(PrefixDigests(text), std::array{member}, now_s).front();
}

TEST(PrefixIndex, KnowsHowMuchOfATextAMemberHasSeen) {
  PrefixIndex index(100);
  index.Insert(PrefixDigests(Text('a', 3) + Text('b', 2)), 1, 0);
  EXPECT_EQ(StepsAt(index, Text('a', 3) + Text('c', 2), 1).all, 3U);
  EXPECT_EQ(StepsAt(index, Text('a', 3) + Text('b', 5), 1).all, 5U);
  EXPECT_EQ(StepsAt(index, Text('a', 3), 2).all, 0U);
  EXPECT_EQ(StepsAt(index, Text('b', 3), 1).all, 0U);
  EXPECT_TRUE(PrefixDigests("short").empty());
}

// Three steps that three conversations share, and two of one's own that were seen once.
TEST(PrefixIndex, WhatManyBeginWithCountsForLess) {
  PrefixIndex index(100);
  for (const char own : {'b', 'c', 'd'}) {
    index.Insert(PrefixDigests(Text('a', 3) + Text(own, 2)), 1, 0);
  }
  EXPECT_NEAR(StepsAt(index, Text('a', 3) + Text('b', 2), 1).own, 3.0 / 3 + 2, 1e-9);
  EXPECT_NEAR(StepsAt(index, Text('a', 3) + Text('e', 2), 1).own, 3.0 / 3, 1e-9);
  // A minute later nobody asks for it often any more.
  EXPECT_NEAR(StepsAt(index, Text('a', 3) + Text('b', 2), 1, 60).own, 5, 1e-9);
}

TEST(PrefixIndex, WhoHasALongerBeginningHasTheShorterOnes) {
  PrefixIndex index(100);
  index.Insert(PrefixDigests(Text('a', 1) + Text('b', 1)), 1, 0);
  for (std::uint64_t member = 2; member < 8; ++member) index.Insert(PrefixDigests(Text('a', 1)), member, 0);
  EXPECT_EQ(StepsAt(index, Text('a', 1) + Text('b', 1), 1).all, 2U);
  EXPECT_EQ(StepsAt(index, Text('a', 1), 1).all, 0U);  // forgotten: six others had it since
}

TEST(PrefixIndex, ForgetsTheOldest) {
  PrefixIndex index(4);
  index.Insert(PrefixDigests(Text('a', 3)), 1, 0);
  index.Insert(PrefixDigests(Text('b', 4)), 1, 0);
  EXPECT_EQ(StepsAt(index, Text('a', 3), 1).all, 0U);
  EXPECT_EQ(StepsAt(index, Text('b', 4), 1).all, 4U);
}

RC_GTEST_PROP(PrefixIndexProperty, TextsThatBeginAlikeShareTheirFirstDigests,
              (const std::string& a, const std::string& b)) {
  const std::string same = Text('x', 2) + a;
  const auto one = PrefixDigests(same + Text('y', 2));
  const auto other = PrefixDigests(same + b + Text('z', 2));
  const std::size_t shared = same.size() / kPrefixStep;
  for (std::size_t i = 0; i < shared; ++i) RC_ASSERT(one[i] == other[i]);
}

}  // namespace
}  // namespace switchyard::policy
