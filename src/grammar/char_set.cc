#include "grammar/char_set.h"

#include <algorithm>

namespace switchyard::grammar {
namespace {

constexpr char32_t kLastCharacter = 0x10FFFF;
constexpr char32_t kFirstSurrogate = 0xD800;
constexpr char32_t kLastSurrogate = 0xDFFF;

}  // namespace

void CharSet::Add(char32_t first, char32_t last) {
  last = std::min(last, kLastCharacter);
  if (first > last) return;
  if (first <= kLastSurrogate && last >= kFirstSurrogate) {
    if (first < kFirstSurrogate) Add(first, kFirstSurrogate - 1);
    if (last > kLastSurrogate) Add(kLastSurrogate + 1, last);
    return;
  }
  // All that touch the new range melt into it.
  auto begin = std::ranges::find_if(
      ranges_, [&](const CharRange& range) { return range.last + 1 >= first; });
  auto end = begin;
  while (end != ranges_.end() && end->first <= last + 1) {
    first = std::min(first, end->first);
    last = std::max(last, end->last);
    ++end;
  }
  begin = ranges_.erase(begin, end);
  ranges_.insert(begin, {first, last});
}

void CharSet::Add(const CharSet& other) {
  for (const CharRange& range : other.ranges_) Add(range.first, range.last);
}

CharSet CharSet::Complement() const {
  CharSet result;
  char32_t next = 0;
  for (const CharRange& range : ranges_) {
    if (range.first > next) result.Add(next, range.first - 1);
    next = range.last + 1;
  }
  result.Add(next, kLastCharacter);
  return result;
}

CharSet CharSet::Without(const CharSet& other) const { return Intersect(other.Complement()); }

CharSet CharSet::Intersect(const CharSet& other) const {
  CharSet result;
  for (const CharRange& a : ranges_) {
    for (const CharRange& b : other.ranges_) {
      if (b.first > a.last) break;
      result.Add(std::max(a.first, b.first), std::min(a.last, b.last));
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
