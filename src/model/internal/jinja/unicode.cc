#include "model/internal/jinja/unicode.h"

#include <algorithm>
#include <array>

namespace switchyard::model::jinja {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::uint16_t ClassesOf(char32_t c) {
  if (c >= kMalformed) return 0;
  const auto runs = ClassRuns();
  const auto next =
      std::upper_bound(runs.begin(), runs.end(), c,
                       [](char32_t value, const ClassRun& r) { return value < r.first; });
  return std::prev(next)->classes;
}

void AppendMapped(const CaseMapping& mapping, char32_t c, std::string* out) {
  const auto expansion = std::lower_bound(
      mapping.expansions.begin(), mapping.expansions.end(), c,
      [](const CaseExpansion& entry, char32_t value) { return entry.code_point < value; });
  if (expansion != mapping.expansions.end() && expansion->code_point == c) {
    out->append(expansion->text);
    return;
  }
  const auto next =
      std::upper_bound(mapping.ranges.begin(), mapping.ranges.end(), c,
                       [](char32_t value, const CaseRange& r) { return value < r.first; });
  if (next != mapping.ranges.begin()) {
    const CaseRange& range = *std::prev(next);
    if (c <= range.last && (c - range.first) % range.stride == 0) {
      AppendUtf8(out, static_cast<char32_t>(static_cast<std::int64_t>(c) + range.delta));
      return;
    }
  }
  AppendUtf8(out, c);
}

// Unicode's Final_Sigma condition (The Unicode Standard, table 3-17), as str.lower applies it.
bool IsFinalSigma(std::string_view text, std::size_t start, std::size_t end) {
  bool cased_before = false;
  for (std::size_t i = start; i > 0;) {
    i = PreviousOffset(text, i);
    std::size_t at = i;
    const char32_t c = DecodeNext(text, &at);
    if (HasClass(c, kCaseIgnorable)) continue;
    cased_before = HasClass(c, kLower | kUpper | kTitle);
    break;
  }
  if (!cased_before) return false;
  for (std::size_t i = end; i < text.size();) {
    const char32_t c = DecodeNext(text, &i);
    if (HasClass(c, kCaseIgnorable)) continue;
    return !HasClass(c, kLower | kUpper | kTitle);
  }
  return true;
}

void AppendLower(std::string_view text, std::size_t start, std::size_t end, char32_t c,
                 std::string* out) {
  constexpr char32_t kSigma = 0x3A3;
  if (c == kSigma) {
    AppendUtf8(out, IsFinalSigma(text, start, end) ? 0x3C2 : 0x3C3);
  } else {
    AppendMapped(LowerMapping(), c, out);
  }
}

// Calls visit(code point, start, end) for each code point; malformed bytes go straight to `out`.
template <typename Visit>
std::string MapText(std::string_view text, Visit visit) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const char32_t c = DecodeNext(text, &i);
    if (c == kMalformed) {
      out.push_back(text[start]);
    } else {
      visit(c, start, i, &out);
    }
  }
  return out;
}

}  // namespace

char32_t DecodeNext(std::string_view text, std::size_t* position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t i = *position;
  const unsigned first = byte(i);
  *position = i + 1;
  if (first < 0x80) return first;
  std::size_t length = 0;
  char32_t value = 0;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
    value = first & 0x1F;
  } else if ((first & 0xF0) == 0xE0) {
    length = 3;
    value = first & 0x0F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    value = first & 0x07;
  } else {
    return kMalformed;
  }
  if (text.size() - i < length) return kMalformed;
  for (std::size_t k = 1; k < length; ++k) {
    if (!IsContinuation(text[i + k])) return kMalformed;
    value = (value << 6) | (byte(i + k) & 0x3F);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return kMalformed;
  *position = i + length;
  return value;
}

std::size_t PreviousOffset(std::string_view text, std::size_t end) {
  for (std::size_t length = 2; length <= 4 && length <= end; ++length) {
    if (!IsContinuation(text[end - length + 1])) break;
    std::size_t i = end - length;
    if (DecodeNext(text.substr(0, end), &i) != kMalformed && i == end) return end - length;
  }
  return end - 1;
}

void AppendUtf8(std::string* text, char32_t c) {
  const auto push = [text](char32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xC0 | (c >> 6));
    push(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    push(0xE0 | (c >> 12));
    push(0x80 | ((c >> 6) & 0x3F));
    push(0x80 | (c & 0x3F));
  } else {
    push(0xF0 | (c >> 18));
    push(0x80 | ((c >> 12) & 0x3F));
    push(0x80 | ((c >> 6) & 0x3F));
    push(0x80 | (c & 0x3F));
  }
}

bool IsValidUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (DecodeNext(text, &i) == kMalformed) return false;
  }
  return true;
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

bool HasClass(char32_t code_point, unsigned classes) {
  return (ClassesOf(code_point) & classes) != 0;
}

bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::string ToLower(std::string_view text) {
  return MapText(text, [text](char32_t c, std::size_t start, std::size_t end, std::string* out) {
    AppendLower(text, start, end, c, out);
  });
}

std::string ToUpper(std::string_view text) {
  return MapText(text, [](char32_t c, std::size_t, std::size_t, std::string* out) {
    AppendMapped(UpperMapping(), c, out);
  });
}

std::string ToTitle(std::string_view text) {
  bool in_word = false;
  return MapText(text, [&](char32_t c, std::size_t start, std::size_t end, std::string* out) {
    if (in_word) {
      AppendLower(text, start, end, c, out);
    } else {
      AppendMapped(TitleMapping(), c, out);
    }
    in_word = HasClass(c, kLower | kUpper | kTitle);
  });
}

std::string Capitalize(std::string_view text) {
  return MapText(text, [&](char32_t c, std::size_t start, std::size_t end, std::string* out) {
    if (start > 0) {
      AppendLower(text, start, end, c, out);
    } else {
      AppendMapped(TitleMapping(), c, out);
    }
  });
}

std::string SwapCase(std::string_view text) {
  return MapText(text, [&](char32_t c, std::size_t start, std::size_t end, std::string* out) {
    if (HasClass(c, kUpper)) {
      AppendLower(text, start, end, c, out);
    } else if (HasClass(c, kLower)) {
      AppendMapped(UpperMapping(), c, out);
    } else {
      AppendUtf8(out, c);
    }
  });
}

std::string FoldCase(std::string_view text) {
  return MapText(text, [](char32_t c, std::size_t, std::size_t, std::string* out) {
    AppendMapped(FoldMapping(), c, out);
  });
}

}  // namespace switchyard::model::jinja
