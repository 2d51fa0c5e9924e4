#include "grammar/internal/text_cursor.h"

#include <algorithm>

namespace switchyard::grammar::internal {
namespace {

constexpr std::uint32_t kMostCount = 1'000'000'000;

bool IsSurrogate(char32_t c, char32_t first) { return c >= first && c < first + 0x400; }

int HexDigit(char32_t c) {
  if (c >= '0' && c <= '9') return static_cast<int>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<int>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<int>(c - 'A') + 10;
  return -1;
}

}  // namespace

TextCursor::Decoded TextCursor::Decode() const {
  if (at_end()) return {kEndOfText, 0};
  const auto byte = [&](std::size_t i) -> char32_t {
    return position_ + i < text_.size() ? static_cast<unsigned char>(text_[position_ + i]) : 0;
  };
  const char32_t first = byte(0);
  const std::size_t size = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (size == 1) return {first, 1};
  char32_t character = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {first, 1};
    character = character << 6U | (byte(i) & 0x3FU);
  }
  return {character, size};
}

char32_t TextCursor::Peek() const { return Decode().character; }

char32_t TextCursor::Next() {
  const Decoded decoded = Decode();
  position_ += decoded.size;
  return decoded.character;
}

bool TextCursor::Take(std::string_view expected) {
  if (!rest().starts_with(expected)) return false;
  position_ += expected.size();
  return true;
}

std::unexpected<base::Error> TextCursor::Fail(std::size_t position,
                                              std::string_view sentence) const {
  const std::string_view before = text_.substr(0, position);
  const auto line = std::ranges::count(before, '\n') + 1;
  const std::size_t line_begin = before.rfind('\n') + 1;  // 0 if there is none
  const auto column = std::ranges::count_if(before.substr(line_begin), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  return base::Fail(base::ErrorCode::kInvalidArgument, "{}, line {}, column {}: {}", subject_, line,
                    column + 1, sentence);
}

std::optional<char32_t> TextCursor::Hex(std::size_t digits) {
  char32_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int digit = position_ + i < text_.size()
                          ? HexDigit(static_cast<unsigned char>(text_[position_ + i]))
                          : -1;
    if (digit < 0) return std::nullopt;
    value = value << 4U | static_cast<char32_t>(digit);
  }
  position_ += digits;
  return value;
}

std::optional<std::uint32_t> TextCursor::Number() {
  std::uint64_t value = 0;
  const std::size_t begin = position_;
  while (!at_end() && text_[position_] >= '0' && text_[position_] <= '9') {
    value = value * 10 + static_cast<std::uint64_t>(text_[position_++] - '0');
    if (value > kMostCount) return std::nullopt;
  }
  if (position_ == begin) return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

std::string Shown(char32_t c) {
  if (c == kEndOfText) return "the end";
  if (c > 0x20 && c < 0x7F) return fmt::format("'{}'", static_cast<char>(c));
  return fmt::format("U+{:04X}", static_cast<std::uint32_t>(c));
}

base::Result<std::optional<char32_t>> ReadEscape(TextCursor& cursor) {
  const std::size_t begin = cursor.position();
  const auto hex = [&](std::size_t digits) -> base::Result<std::optional<char32_t>> {
    const auto value = cursor.Hex(digits);
    if (!value || *value > 0x10FFFF) {
      return cursor.Fail(
          begin, fmt::format("an escape needs {} hexadecimal digits of a character", digits));
    }
    return value;
  };
  const char32_t c = cursor.Next();
  switch (c) {
    case 'n':
      return U'\n';
    case 't':
      return U'\t';
    case 'r':
      return U'\r';
    case 'f':
      return U'\f';
    case 'v':
      return U'\v';
    case 'x':
      return hex(2);
    case 'U':
      return hex(8);
    case 'u': {
      auto high = hex(4);
      if (!high || !IsSurrogate(**high, 0xD800)) return high;
      if (!cursor.Take("\\u")) return cursor.Fail(begin, "half of a pair of surrogates");
      const auto low = cursor.Hex(4);
      if (!low || !IsSurrogate(*low, 0xDC00)) {
        return cursor.Fail(begin, "half of a pair of surrogates");
      }
      return 0x10000 + ((**high - 0xD800) << 10U) + (*low - 0xDC00);
    }
    default:
      break;
  }
  const bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (!is_word && c != kEndOfText) return c;
  cursor.set_position(begin);
  return std::nullopt;
}

}  // namespace switchyard::grammar::internal
