// A set of Unicode characters, as grammars and regular expressions name them. A value that is made
// at once, of all its ranges; surrogates are never in it, since no text has them.
#pragma once

#include <compare>
#include <initializer_list>
#include <vector>

namespace switchyard::grammar {

struct CharRange {
  char32_t first = 0;
  char32_t last = 0;  // included
  auto operator<=>(const CharRange&) const = default;
};

class CharSet {
 public:
  CharSet() = default;
  CharSet(std::initializer_list<CharRange> ranges) : CharSet(std::vector(ranges)) {}
  // In any order; they may overlap. A range that ends before it begins is empty.
  explicit CharSet(std::vector<CharRange> ranges);

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
