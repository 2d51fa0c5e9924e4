// GPT-2's alphabet of 256 printable characters, one for each byte, in which byte-level vocabularies
// are written: bytes that print in Latin-1 stand for themselves, the rest for U+0100 upwards.
// (Radford et al., 2019, the published encoder.)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {

constexpr bool StandsForItself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

inline constexpr std::array<char16_t, 256> kByteLetters = [] {
  std::array<char16_t, 256> letters{};
  char16_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    letters[byte] = StandsForItself(byte) ? static_cast<char16_t>(byte) : next++;
  }
  return letters;
}();

// The byte that `letter` stands for, or -1.
inline constexpr std::array<std::int16_t, 0x144> kLetterBytes = [] {
  std::array<std::int16_t, 0x144> bytes{};
  bytes.fill(-1);
  for (unsigned byte = 0; byte < 256; ++byte) {
    bytes[kByteLetters[byte]] = static_cast<std::int16_t>(byte);
  }
  return bytes;
}();

inline void AppendAsLetters(std::string_view bytes, std::string* out) {
  for (const char c : bytes) unicode::AppendUtf8(kByteLetters[static_cast<unsigned char>(c)], out);
}

// The bytes behind `letters` (valid UTF-8); nothing if one of them is no letter of the alphabet.
inline std::optional<std::string> BytesOfLetters(std::string_view letters) {
  std::string bytes;
  for (std::size_t i = 0; i < letters.size();) {
    const char32_t letter = unicode::NextPoint(letters, &i);
    if (letter >= kLetterBytes.size() || kLetterBytes[letter] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kLetterBytes[letter]));
  }
  return bytes;
}

}  // namespace switchyard::model::tokenization
