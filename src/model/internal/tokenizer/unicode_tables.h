// The parts of the Unicode Character Database (16.0) that tokenizers need, sorted by code point.
// unicode_tables.cc is written by tools/make_unicode_tables.py; unicode.h is how to ask them.
#pragma once

#include <cstdint>
#include <span>

namespace switchyard::model::tokenization {

// General categories, by the two letters that the Unicode Standard (section 4.5) gives them.
// clang-format off
enum class Category : std::uint8_t {
  kCc, kCf, kCn, kCo, kCs,
  kLl, kLm, kLo, kLt, kLu,
  kMc, kMe, kMn,
  kNd, kNl, kNo,
  kPc, kPd, kPe, kPf, kPi, kPo, kPs,
  kSc, kSk, kSm, kSo,
  kZl, kZp, kZs,
};
// clang-format on

struct CategoryRun {  // up to the next run's first
  char32_t first;
  Category category;
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
struct CaseMapping {
  char32_t upper;
  char32_t lower;
};
// Where PCRE2 10.42 (Unicode 14) puts a code point into another category than Unicode 16 does: an
// older code point of the right category that is as long in UTF-8.
struct Reclassified {
  char32_t first;
  char32_t last;
  char32_t stand_in;
};

extern const std::span<const CategoryRun> kCategoryRuns;
extern const std::span<const CombiningRange> kCombiningRanges;
extern const std::span<const Decomposition> kCanonicalDecompositions;
extern const std::span<const Decomposition> kCompatibilityDecompositions;  // not in the canonical
extern const std::span<const char32_t> kDecompositionPool;
extern const std::span<const Composition> kCompositions;
extern const std::span<const CaseMapping> kLowercase;
extern const std::span<const Reclassified> kReclassified;

}  // namespace switchyard::model::tokenization
