#include "model/internal/unicode/case_mapping.h"

#include <algorithm>

#include "model/internal/unicode/category.h"
#include "model/internal/unicode/tables.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::unicode {
namespace {

void AppendMapped(const CaseMapping& mapping, char32_t point, std::string* out) {
  const auto expansion =
      std::ranges::lower_bound(mapping.expansions, point, {}, &CaseExpansion::point);
  if (expansion != mapping.expansions.end() && expansion->point == point) {
    out->append(expansion->text);
    return;
  }
  const auto next = std::ranges::upper_bound(mapping.ranges, point, {}, &CaseRange::first);
  if (next != mapping.ranges.begin()) {
    const CaseRange& range = *std::prev(next);
    if (point <= range.last && (point - range.first) % range.stride == 0) {
      AppendUtf8(static_cast<char32_t>(static_cast<std::int64_t>(point) + range.delta), out);
      return;
    }
  }
  AppendUtf8(point, out);
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
    AppendUtf8(IsFinalSigma(text, start, end) ? 0x3C2 : 0x3C3, out);
  } else {
    AppendMapped(kLowerMapping, c, out);
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

std::string ToLower(std::string_view text) {
  return MapText(text, [text](char32_t c, std::size_t start, std::size_t end, std::string* out) {
    AppendLower(text, start, end, c, out);
  });
}

std::string ToUpper(std::string_view text) {
  return MapText(text, [](char32_t c, std::size_t, std::size_t, std::string* out) {
    AppendMapped(kUpperMapping, c, out);
  });
}

std::string ToTitle(std::string_view text) {
  bool in_word = false;
  return MapText(text, [&](char32_t c, std::size_t start, std::size_t end, std::string* out) {
    if (in_word) {
      AppendLower(text, start, end, c, out);
    } else {
      AppendMapped(kTitleMapping, c, out);
    }
    in_word = HasClass(c, kLower | kUpper | kTitle);
  });
}

std::string Capitalize(std::string_view text) {
  return MapText(text, [&](char32_t c, std::size_t start, std::size_t end, std::string* out) {
    if (start > 0) {
      AppendLower(text, start, end, c, out);
    } else {
      AppendMapped(kTitleMapping, c, out);
    }
  });
}

std::string SwapCase(std::string_view text) {
  return MapText(text, [&](char32_t c, std::size_t start, std::size_t end, std::string* out) {
    if (HasClass(c, kUpper)) {
      AppendLower(text, start, end, c, out);
    } else if (HasClass(c, kLower)) {
      AppendMapped(kUpperMapping, c, out);
    } else {
      AppendUtf8(c, out);
    }
  });
}

std::string FoldCase(std::string_view text) {
  return MapText(text, [](char32_t c, std::size_t, std::size_t, std::string* out) {
    AppendMapped(kFoldMapping, c, out);
  });
}

std::string LowerEach(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char32_t point = NextPoint(text, &i);
    if (point < 0x80) {
      const bool is_upper = point >= 'A' && point <= 'Z';
      lower.push_back(static_cast<char>(is_upper ? point + 0x20 : point));
    } else {
      AppendMapped(kLowerMapping, point, &lower);
    }
  }
  return lower;
}

}  // namespace switchyard::model::unicode
