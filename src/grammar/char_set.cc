#include "grammar/char_set.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace switchyard::grammar {
namespace {

constexpr char32_t kLastCharacter = 0x10FFFF;
constexpr char32_t kLastBeforeSurrogates = 0xD7FF;
constexpr char32_t kFirstBehindSurrogates = 0xE000;

}  // namespace

CharSet::CharSet(std::vector<CharRange> ranges) {
  const std::size_t given = ranges.size();
  for (std::size_t i = 0; i < given; ++i) {
    const CharRange range = ranges[i];
    ranges[i].last = std::min(range.last, kLastBeforeSurrogates);
    ranges.push_back(
        {std::max(range.first, kFirstBehindSurrogates), std::min(range.last, kLastCharacter)});
  }
  std::erase_if(ranges, [](const CharRange& range) { return range.first > range.last; });
  std::ranges::sort(ranges, {}, &CharRange::first);
  for (const CharRange& range : ranges) {
    // All that touch melt into one.
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

CharSet CharSet::Complement() const {
  std::vector<CharRange> gaps;
  char32_t next = 0;
  for (const CharRange& range : ranges_) {
    if (range.first > next) gaps.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  gaps.push_back({next, kLastCharacter});
  return CharSet(std::move(gaps));
}

CharSet CharSet::Without(const CharSet& other) const { return Intersect(other.Complement()); }

CharSet CharSet::Intersect(const CharSet& other) const {
  CharSet result;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const CharRange common{std::max(a->first, b->first), std::min(a->last, b->last)};
    if (common.first <= common.last) result.ranges_.push_back(common);
    // Whichever ends first meets nothing more.
    if (a->last < b->last) {
      ++a;
    } else {
      ++b;
    }
  }
  return result;
}

bool CharSet::Contains(char32_t character) const {
  return std::ranges::any_of(ranges_, [&](const CharRange& range) {
    return range.first <= character && character <= range.last;
  });
}

}  // namespace switchyard::grammar
