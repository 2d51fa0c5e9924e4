// What kind of character a code point is. Everything is Unicode 16 except where a function names an
// older version, which a component of Hugging Face's tokenizers still has.
#pragma once

#include <cstdint>

namespace switchyard::model::unicode {

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

Category CategoryOf(char32_t point);
Category CategoryIn8(char32_t point);  // of Unicode 8
Category CategoryIn9(char32_t point);  // of Unicode 9

constexpr bool IsMark(Category category) {
  return category >= Category::kMc && category <= Category::kMn;
}
constexpr bool IsNumber(Category category) {
  return category >= Category::kNd && category <= Category::kNo;
}
constexpr bool IsPunctuation(Category category) {
  return category >= Category::kPc && category <= Category::kPs;
}

bool IsWhiteSpace(char32_t point);  // the property White_Space
bool IsAsciiPunctuation(char32_t point);

// What the methods of Python's str ask. Code points beyond Unicode have none of them.
enum CharacterClass : std::uint16_t {
  kAlpha = 1 << 0,    // isalpha
  kDecimal = 1 << 1,  // isdecimal
  kDigit = 1 << 2,    // isdigit
  kNumeric = 1 << 3,  // isnumeric
  kLower = 1 << 4,
  kUpper = 1 << 5,
  kTitle = 1 << 6,
  kPrintable = 1 << 7,
  kIdentifierStart = 1 << 8,
  kIdentifierPart = 1 << 9,
  kCaseIgnorable = 1 << 10,
};

// Any of the CharacterClass bits in `classes`.
bool HasClass(char32_t point, unsigned classes);
bool IsSpace(char32_t point);  // isspace: White_Space and the separators of ASCII
inline bool IsAlphanumeric(char32_t point) {
  return HasClass(point, kAlpha | kDecimal | kDigit | kNumeric);
}

// 0 to 9 for a decimal digit of any script, otherwise -1.
int DecimalValue(char32_t point);

}  // namespace switchyard::model::unicode
