#include "grammar/char_set.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace switchyard::grammar {
namespace {

bool IsIn(const std::vector<CharRange>& ranges, char32_t c) {
  const bool is_surrogate = c >= 0xD800 && c <= 0xDFFF;
  return !is_surrogate && c <= 0x10FFFF && std::ranges::any_of(ranges, [&](const CharRange& range) {
    return range.first <= c && c <= range.last;
  });
}

// Around what is special: the beginning, the surrogates and the end.
std::vector<char32_t> Places() {
  std::vector<char32_t> places;
  for (const char32_t begin : {0U, 0xD7FAU, 0xDFFAU, 0x10FFFAU}) {
    for (char32_t c = begin; c < begin + 12; ++c) places.push_back(c);
  }
  return places;
}

std::vector<CharRange> SomeRanges() {
  std::vector<CharRange> ranges;
  for (int count = *rc::gen::inRange(0, 8); count > 0; --count) {
    const char32_t first = *rc::gen::elementOf(Places());
    ranges.push_back({first, *rc::gen::elementOf(Places())});
  }
  return ranges;
}

void ExpectApartAndInOrder(const CharSet& set) {
  const auto& ranges = set.ranges();
  for (const CharRange& range : ranges) RC_ASSERT(range.first <= range.last);
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    RC_ASSERT(ranges[i - 1].last + 1 < ranges[i].first);
  }
}

TEST(CharSet, HoldsWhatItsRangesSay) {
  rc::check([] {
    const std::vector<CharRange> a = SomeRanges();
    const std::vector<CharRange> b = SomeRanges();
    const CharSet set(a);
    const CharSet other(b);
    for (const CharSet& made :
         {set, set.Complement(), set.Intersect(other), set.Without(other), other.Complement()}) {
      ExpectApartAndInOrder(made);
    }
    const std::vector<CharRange> all = {{0, 0x10FFFF}};
    for (const char32_t c : Places()) {
      RC_ASSERT(set.Contains(c) == IsIn(a, c));
      RC_ASSERT(set.Complement().Contains(c) == (IsIn(all, c) && !IsIn(a, c)));
      RC_ASSERT(set.Intersect(other).Contains(c) == (IsIn(a, c) && IsIn(b, c)));
      RC_ASSERT(set.Without(other).Contains(c) == (IsIn(a, c) && !IsIn(b, c)));
    }
  });
}

TEST(CharSet, IsMadeOfManyRangesInTime) {
  std::vector<CharRange> even;
  for (char32_t c = 0x10FFFE; c >= 0x20000; c -= 2) even.push_back({c, c});
  const CharSet set(even);
  EXPECT_EQ(set.ranges().size(), even.size());
  EXPECT_EQ(set.Intersect(set.Complement()).ranges().size(), 0U);
  EXPECT_EQ(set.Without({}).ranges(), set.ranges());
}

}  // namespace
}  // namespace switchyard::grammar
