// UTF-8 and the character properties of Python's str. Malformed bytes never fail: each counts as
// one code point without properties and is copied as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/internal/jinja/unicode_tables.h"

namespace switchyard::model::jinja {

// What DecodeNext gives for a byte that is not part of well-formed UTF-8.
inline constexpr char32_t kMalformed = 0x110000;

// Reads the code point at *position and moves past it; *position must be within the text.
char32_t DecodeNext(std::string_view text, std::size_t* position);

// The offset of the code point that ends just before `end`, which must not be 0.
std::size_t PreviousOffset(std::string_view text, std::size_t end);

// Surrogates and values above U+10FFFF become U+FFFD.
void AppendUtf8(std::string* text, char32_t code_point);

bool IsValidUtf8(std::string_view text);
std::size_t CountCodePoints(std::string_view text);

// The byte offset of the index-th code point, or the text's size if there are fewer.
std::size_t OffsetOf(std::string_view text, std::size_t index);

// Any of the CharacterClass bits in `classes`.
bool HasClass(char32_t code_point, unsigned classes);
bool IsSpace(char32_t code_point);  // str.isspace
inline bool IsAlphanumeric(char32_t c) {
  return HasClass(c, kAlpha | kDecimal | kDigit | kNumeric);
}

std::string ToLower(std::string_view text);
std::string ToUpper(std::string_view text);
std::string ToTitle(std::string_view text);     // str.title
std::string Capitalize(std::string_view text);  // str.capitalize
std::string SwapCase(std::string_view text);    // str.swapcase
std::string FoldCase(std::string_view text);    // str.casefold

}  // namespace switchyard::model::jinja
