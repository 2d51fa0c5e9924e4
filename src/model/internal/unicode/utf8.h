// UTF-8 in and out. Tokenizers work on valid UTF-8: broken bytes are replaced at their entry, once,
// as Unicode recommends (section 3.9, "maximal subparts") and as Rust's and Python's decoders do.
// Templates keep broken bytes: each counts as one code point without properties.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace switchyard::model::unicode {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// How a sequence of bytes starts: a character, bytes that can't become one, or the beginning of a
// character of which more bytes may follow.
enum class Utf8Start { kCharacter, kBroken, kIncomplete };

struct Utf8Prefix {
  Utf8Start kind;
  std::size_t length;  // of the character or of what one U+FFFD replaces
  char32_t point;      // of a character
};

// `text` must not be empty.
Utf8Prefix ReadUtf8(std::string_view text);

bool IsValidUtf8(std::string_view text);

// `text` with every maximal broken part replaced by U+FFFD.
std::string ReplaceBrokenUtf8(std::string_view text);

// The length of the prefix of `text` after which only an unfinished character remains.
std::size_t CompleteUtf8Length(std::string_view text);

// Surrogates and values above U+10FFFF become U+FFFD.
void AppendUtf8(char32_t point, std::string* out);

// The number of bytes that the leading byte of a valid character announces.
inline std::size_t Utf8Length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// Reads the character at *position of valid UTF-8 and moves past it.
inline char32_t NextPoint(std::string_view valid, std::size_t* position) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(valid[*position + i]));
  };
  const std::size_t length = Utf8Length(valid[*position]);
  char32_t point = byte(0);
  if (length == 2) {
    point = (point & 0x1F) << 6 | (byte(1) & 0x3F);
  } else if (length == 3) {
    point = (point & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  } else if (length == 4) {
    point =
        (point & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
  }
  *position += length;
  return point;
}

// What DecodeNext gives for a byte that is not part of well-formed UTF-8.
inline constexpr char32_t kMalformed = 0x110000;

// Reads the code point at *position of any bytes and moves past it; *position must be within them.
char32_t DecodeNext(std::string_view text, std::size_t* position);

// The offset of the code point that ends just before `end`, which must not be 0.
std::size_t PreviousOffset(std::string_view text, std::size_t end);

std::size_t CountCodePoints(std::string_view text);

// The byte offset of the index-th code point, or the text's size if there are fewer.
std::size_t OffsetOf(std::string_view text, std::size_t index);

}  // namespace switchyard::model::unicode
