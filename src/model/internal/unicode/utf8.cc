#include "model/internal/unicode/utf8.h"

namespace switchyard::model::unicode {

// The well-formed sequences are those of table 3-7 of the Unicode Standard.
Utf8Prefix ReadUtf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {Utf8Start::kCharacter, 1, lead};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8Start::kBroken, 1, 0};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Utf8Start::kIncomplete, i, 0};
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (i == 1) {
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    if (byte(i) < low || byte(i) > high) return {Utf8Start::kBroken, i, 0};
  }
  std::size_t position = 0;
  return {Utf8Start::kCharacter, length, NextPoint(text, &position)};
}

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Prefix prefix = ReadUtf8(text);
    if (prefix.kind != Utf8Start::kCharacter) return false;
    text.remove_prefix(prefix.length);
  }
  return true;
}

std::string ReplaceBrokenUtf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Utf8Prefix prefix = ReadUtf8(text);
    result.append(prefix.kind == Utf8Start::kCharacter ? text.substr(0, prefix.length)
                                                       : kReplacementCharacter);
    text.remove_prefix(prefix.length);
  }
  return result;
}

std::size_t CompleteUtf8Length(std::string_view text) {
  // A character is at most four bytes, so an unfinished one lies within the last three.
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::size_t start = text.size() - back;
    const auto byte = static_cast<unsigned char>(text[start]);
    if (byte < 0x80) break;
    if (byte >= 0xC0) {
      const Utf8Prefix prefix = ReadUtf8(text.substr(start));
      return prefix.kind == Utf8Start::kIncomplete && prefix.length == back ? start : text.size();
    }
  }
  return text.size();
}

void AppendUtf8(char32_t point, std::string* out) {
  const auto push = [out](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) point = 0xFFFD;
  if (point < 0x80) {
    push(point);
  } else if (point < 0x800) {
    push(0xC0 | point >> 6);
    push(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    push(0xE0 | point >> 12);
    push(0x80 | (point >> 6 & 0x3F));
    push(0x80 | (point & 0x3F));
  } else {
    push(0xF0 | point >> 18);
    push(0x80 | (point >> 12 & 0x3F));
    push(0x80 | (point >> 6 & 0x3F));
    push(0x80 | (point & 0x3F));
  }
}

char32_t DecodeNext(std::string_view text, std::size_t* position) {
  const Utf8Prefix prefix = ReadUtf8(text.substr(*position));
  const bool is_sound = prefix.kind == Utf8Start::kCharacter;
  *position += is_sound ? prefix.length : 1;
  return is_sound ? prefix.point : kMalformed;
}

std::size_t PreviousOffset(std::string_view text, std::size_t end) {
  for (std::size_t length = 2; length <= 4 && length <= end; ++length) {
    if ((static_cast<unsigned char>(text[end - length + 1]) & 0xC0) != 0x80) break;
    std::size_t i = end - length;
    if (DecodeNext(text.substr(0, end), &i) != kMalformed && i == end) return end - length;
  }
  return end - 1;
}

std::size_t CountCodePoints(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) DecodeNext(text, &i);
  return count;
}

std::size_t OffsetOf(std::string_view text, std::size_t index) {
  std::size_t i = 0;
  for (; index > 0 && i < text.size(); --index) DecodeNext(text, &i);
  return i;
}

}  // namespace switchyard::model::unicode
