#include "certify/plain_text.h"

#include <cstdint>

namespace switchyard::certify {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Character {
  std::size_t bytes = 1;
  std::uint32_t point = 0;
  bool is_valid = false;
};

// The first character (Unicode 15, table 3-7); of a broken one its first byte.
Character First(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {1, lead, true};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  std::uint32_t point = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    point = point << 6 | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = point >= 0xD800 && point <= 0xDFFF;
  if (point < kLeast[bytes] || point > 0x10FFFF || is_surrogate) return {};
  return {bytes, point, true};
}

bool IsPlain(std::uint32_t point) {
  if (point < 0x20) return point == '\t' || point == '\n';
  if (point >= 0x7F && point < 0xA0) return false;
  if (point >= 0x202A && point <= 0x202E) return false;  // embeddings and overrides
  if (point >= 0x2066 && point <= 0x2069) return false;  // isolates
  return (point & 0xFFFE) != 0xFFFE;
}

}  // namespace

std::string PlainText(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    const Character character = First(text);
    if (character.is_valid && IsPlain(character.point)) {
      plain += text.substr(0, character.bytes);
    } else {
      plain += kReplacement;
    }
    text.remove_prefix(character.bytes);
  }
  return plain;
}

}  // namespace switchyard::certify
