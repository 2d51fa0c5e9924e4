#include "policy/prefix_index.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace switchyard::policy {
namespace {

std::string Text(char c, std::size_t steps) { return std::string(steps * kPrefixStep, c); }

TEST(PrefixIndex, KnowsHowMuchOfATextAMemberHasSeen) {
  PrefixIndex index(100);
  index.Insert(PrefixDigests(Text('a', 3) + Text('b', 2)), 1);
  EXPECT_EQ(index.StepsAt(PrefixDigests(Text('a', 3) + Text('c', 2)), 1), 3U);
  EXPECT_EQ(index.StepsAt(PrefixDigests(Text('a', 3) + Text('b', 5)), 1), 5U);
  EXPECT_EQ(index.StepsAt(PrefixDigests(Text('a', 3)), 2), 0U);
  EXPECT_EQ(index.StepsAt(PrefixDigests(Text('b', 3)), 1), 0U);
  EXPECT_TRUE(PrefixDigests("short").empty());
}

TEST(PrefixIndex, ForgetsTheOldest) {
  PrefixIndex index(4);
  index.Insert(PrefixDigests(Text('a', 3)), 1);
  index.Insert(PrefixDigests(Text('b', 4)), 1);
  EXPECT_EQ(index.StepsAt(PrefixDigests(Text('a', 3)), 1), 0U);
  EXPECT_EQ(index.StepsAt(PrefixDigests(Text('b', 4)), 1), 4U);
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
