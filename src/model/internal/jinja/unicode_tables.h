// Unicode's character classes and case mappings as Python's str methods see them. The tables are
// generated; unicode.h is what the engine calls.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace switchyard::model::jinja {

// Bits of ClassRun::classes, in the order that tools/make_python_case_tables.py writes them.
enum CharacterClass : std::uint16_t {
  kAlpha = 1 << 0,
  kDecimal = 1 << 1,
  kDigit = 1 << 2,
  kNumeric = 1 << 3,
  kLower = 1 << 4,
  kUpper = 1 << 5,
  kTitle = 1 << 6,
  kPrintable = 1 << 7,
  kIdentifierStart = 1 << 8,
  kIdentifierPart = 1 << 9,
  kCaseIgnorable = 1 << 10,
};

// Holds from `first` up to the next run's first.
struct ClassRun {
  std::uint32_t first;
  std::uint16_t classes;
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
  std::uint32_t code_point;
  std::string_view text;
};

struct CaseMapping {
  std::span<const CaseRange> ranges;
  std::span<const CaseExpansion> expansions;
};

std::span<const ClassRun> ClassRuns();
const CaseMapping& LowerMapping();
const CaseMapping& UpperMapping();
const CaseMapping& TitleMapping();
const CaseMapping& FoldMapping();

}  // namespace switchyard::model::jinja
