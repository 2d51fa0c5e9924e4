// The parts of the Unicode Character Database that tokenizers and templates need, sorted by code
// point: of version 16.0, but of 9.0 for normalization (from CombiningRange to Composition).
// tables.cc is written by tools/make_unicode_tables.py; the headers beside this one ask it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/internal/unicode/category.h"

namespace switchyard::model::unicode {

// Bits of PointRun::properties; the last two are Numeric_Type Digit (or Decimal) and any.
enum Property : std::uint8_t {
  kLowercase = 1 << 0,
  kUppercase = 1 << 1,
  kCaseIgnorableProperty = 1 << 2,
  kXidStart = 1 << 3,
  kXidContinue = 1 << 4,
  kDigitType = 1 << 5,
  kNumericType = 1 << 6,
};

struct PointRun {  // up to the next run's first
  std::uint32_t first;
  std::uint8_t category;  // a Category
  std::uint8_t properties;
};
struct CategoryRange {  // where an older version had another category
  std::uint32_t first;
  std::uint32_t last;
  std::uint8_t category;
};
struct CombiningRange {
  char32_t first;
  char32_t last;
  std::uint8_t combining_class;
};
struct Decomposition {  // complete, that is, applied until nothing decomposes; Hangul is arithmetic
  char32_t point;
  std::uint16_t offset;  // into kDecompositionPool
  std::uint8_t length;
};
struct Composition {  // canonical pairs without the exclusions, sorted by first, then second
  char32_t first;
  char32_t second;
  char32_t composed;
};
// Every stride-th code point of [first, last] maps to itself plus delta.
struct CaseRange {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t stride;
  std::int32_t delta;
};
// A code point that maps to several; `text` is UTF-8.
struct CaseExpansion {
  std::uint32_t point;
  std::string_view text;
};
struct CaseMapping {
  std::span<const CaseRange> ranges;
  std::span<const CaseExpansion> expansions;
};
// Where PCRE2 10.42 (Unicode 14) puts a code point into another category than Unicode 16 does: an
// older code point of the right category that is as long in UTF-8.
struct Reclassified {
  char32_t first;
  char32_t last;
  char32_t stand_in;
};

extern const std::span<const PointRun> kPointRuns;
extern const std::span<const CategoryRange> kCategoriesIn8;
extern const std::span<const CategoryRange> kCategoriesIn9;
extern const std::span<const CombiningRange> kCombiningRanges;
extern const std::span<const Decomposition> kCanonicalDecompositions;
extern const std::span<const Decomposition> kCompatibilityDecompositions;  // not in the canonical
extern const std::span<const char32_t> kDecompositionPool;
extern const std::span<const Composition> kCompositions;
extern const std::span<const Reclassified> kReclassified;
extern const CaseMapping kLowerMapping;
extern const CaseMapping kUpperMapping;
extern const CaseMapping kTitleMapping;
extern const CaseMapping kFoldMapping;

}  // namespace switchyard::model::unicode
