// A set of Unicode characters, as grammars and regular expressions name them. A value; surrogates
// are never in it, since no text has them.
#pragma once

#include <initializer_list>
#include <vector>

namespace switchyard::grammar {

struct CharRange {
  char32_t first = 0;
  char32_t last = 0;  // included
  bool operator==(const CharRange&) const = default;
};

class CharSet {
 public:
  CharSet() = default;
  CharSet(std::initializer_list<CharRange> ranges) {
    for (const CharRange& range : ranges) Add(range.first, range.last);
  }

  void Add(char32_t first, char32_t last);
  void Add(char32_t character) { Add(character, character); }
  void Add(const CharSet& other);
  CharSet Complement() const;
  CharSet Without(const CharSet& other) const;
  CharSet Intersect(const CharSet& other) const;
  bool Contains(char32_t character) const;
  bool empty() const { return ranges_.empty(); }
  // In ascending order, apart from each other.
  const std::vector<CharRange>& ranges() const { return ranges_; }

 private:
  std::vector<CharRange> ranges_;
};

}  // namespace switchyard::grammar
