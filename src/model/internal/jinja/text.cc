#include "model/internal/jinja/text.h"

#include <algorithm>

#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

bool IsLineEnd(char32_t c) {  // where str.splitlines breaks
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

template <typename Drop>
std::string_view StripWhere(std::string_view text, bool left, bool right, Drop drop) {
  std::size_t start = 0;
  std::size_t end = text.size();
  while (left && start < end) {
    std::size_t next = start;
    const char32_t c = unicode::DecodeNext(text, &next);
    if (!drop(c, text.substr(start, next - start))) break;
    start = next;
  }
  while (right && start < end) {
    const std::size_t previous = unicode::PreviousOffset(text, end);
    std::size_t at = previous;
    const char32_t c = unicode::DecodeNext(text, &at);
    if (!drop(c, text.substr(previous, end - previous))) break;
    end = previous;
  }
  return text.substr(start, end - start);
}

// Whether the text has a cased code point and none of the `forbidden` classes.
bool HasCaseWithout(std::string_view text, unsigned forbidden) {
  bool has_case = false;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = unicode::DecodeNext(text, &i);
    if (unicode::HasClass(c, forbidden)) return false;
    has_case = has_case || unicode::HasClass(c, unicode::kLower | unicode::kUpper);
  }
  return has_case;
}

}  // namespace

bool IsLowerText(std::string_view text) {
  return HasCaseWithout(text, unicode::kUpper | unicode::kTitle);
}

bool IsUpperText(std::string_view text) {
  return HasCaseWithout(text, unicode::kLower | unicode::kTitle);
}

std::string_view StripSpace(std::string_view text, bool left, bool right) {
  return StripWhere(text, left, right,
                    [](char32_t c, std::string_view) { return unicode::IsSpace(c); });
}

std::string_view StripCharacters(std::string_view text, std::string_view characters, bool left,
                                 bool right) {
  return StripWhere(text, left, right, [characters](char32_t, std::string_view unit) {
    return characters.find(unit) != std::string_view::npos;
  });
}

std::vector<std::string_view> SplitAtSpace(std::string_view text, std::size_t max_splits) {
  std::vector<std::string_view> parts;
  std::string_view rest = StripSpace(text, true, false);
  while (!rest.empty()) {
    if (parts.size() == max_splits) {
      parts.push_back(rest);
      break;
    }
    std::size_t end = 0;
    for (std::size_t i = 0; i < rest.size(); end = i) {
      if (unicode::IsSpace(unicode::DecodeNext(rest, &i))) break;
    }
    parts.push_back(rest.substr(0, end));
    rest = StripSpace(rest.substr(end), true, false);
  }
  return parts;
}

std::vector<std::string_view> SplitAtSpaceFromRight(std::string_view text, std::size_t max_splits) {
  std::vector<std::string_view> parts;
  std::string_view rest = StripSpace(text, false, true);
  while (!rest.empty()) {
    if (parts.size() == max_splits) {
      parts.push_back(rest);
      break;
    }
    std::size_t start = rest.size();
    while (start > 0) {
      const std::size_t previous = unicode::PreviousOffset(rest, start);
      std::size_t at = previous;
      if (unicode::IsSpace(unicode::DecodeNext(rest, &at))) break;
      start = previous;
    }
    parts.push_back(rest.substr(start));
    rest = StripSpace(rest.substr(0, start), false, true);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitAt(std::string_view text, std::string_view separator,
                                      std::size_t max_splits) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  while (parts.size() < max_splits) {
    const std::size_t found = text.find(separator, start);
    if (found == std::string_view::npos) break;
    parts.push_back(text.substr(start, found - start));
    start = found + separator.size();
  }
  parts.push_back(text.substr(start));
  return parts;
}

std::vector<std::string_view> SplitAtFromRight(std::string_view text, std::string_view separator,
                                               std::size_t max_splits) {
  std::vector<std::string_view> parts;
  std::string_view rest = text;
  while (parts.size() < max_splits) {
    const std::size_t found = rest.rfind(separator);
    if (found == std::string_view::npos) break;
    parts.push_back(rest.substr(found + separator.size()));
    rest = rest.substr(0, found);
  }
  parts.push_back(rest);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = i;
    const char32_t c = unicode::DecodeNext(text, &i);
    if (!IsLineEnd(c)) continue;
    if (c == '\r' && i < text.size() && text[i] == '\n') ++i;
    lines.push_back(text.substr(start, (keep_ends ? i : end) - start));
    start = i;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::size_t CountOccurrences(std::string_view text, std::string_view needle) {
  if (needle.empty()) return unicode::CountCodePoints(text) + 1;
  std::size_t count = 0;
  for (std::size_t at = text.find(needle); at != std::string_view::npos;
       at = text.find(needle, at + needle.size())) {
    ++count;
  }
  return count;
}

}  // namespace switchyard::model::jinja
