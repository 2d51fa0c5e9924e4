// str's methods that ask about a text.
#include <algorithm>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/methods.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/jinja/text.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

// text[start:stop] and where it begins, in bytes.
struct Window {
  std::string_view text;
  std::size_t offset = 0;
  bool is_valid = true;  // false where start lies beyond the text
};

Window WindowOf(Renderer& renderer, std::string_view text, const Value& start, const Value& stop) {
  if (!IsGiven(start) && !IsGiven(stop)) return {text};
  renderer.arena().Spend(text.size() / 16);
  const auto length = static_cast<std::int64_t>(unicode::CountCodePoints(text));
  const auto bound = [&](const Value& value, std::int64_t otherwise) {
    if (!IsGiven(value)) return otherwise;
    const std::int64_t index = ToInt(value, "a slice index");
    return index < 0 ? std::max<std::int64_t>(index < -length ? 0 : index + length, 0) : index;
  };
  const std::int64_t from = bound(start, 0);
  const std::int64_t to = std::min(bound(stop, length), length);
  Window window;
  window.is_valid = from <= length;
  window.offset = unicode::OffsetOf(text, static_cast<std::size_t>(std::min(from, length)));
  if (to < from) {
    window.is_valid = false;
    return window;
  }
  const std::string_view rest = text.substr(window.offset);
  window.text = rest.substr(0, unicode::OffsetOf(rest, static_cast<std::size_t>(to - from)));
  return window;
}

template <bool kFromRight>
std::int64_t Search(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [needle, start, stop] = Bind("find", arguments, {"sub", "start", "end"}, 1);
  const std::string_view wanted = ToString(needle, "find's argument");
  const std::string_view text = self.AsString();
  const Window window = WindowOf(renderer, text, start, stop);
  if (!window.is_valid) return -1;
  const std::size_t found = kFromRight ? window.text.rfind(wanted) : window.text.find(wanted);
  if (found == std::string_view::npos) return -1;
  return static_cast<std::int64_t>(unicode::CountCodePoints(text.substr(0, window.offset + found)));
}

template <bool kFromRight>
Value Find(Renderer& renderer, const Value& self, const Arguments& arguments) {
  return Value::Int(Search<kFromRight>(renderer, self, arguments));
}

template <bool kFromRight>
Value Index(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const std::int64_t found = Search<kFromRight>(renderer, self, arguments);
  if (found < 0) Raise(FailureKind::kValue, "substring not found");
  return Value::Int(found);
}

Value Count(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [needle, start, stop] = Bind("count", arguments, {"sub", "start", "end"}, 1);
  const std::string_view wanted = ToString(needle, "count's argument");
  const Window window = WindowOf(renderer, self.AsString(), start, stop);
  if (!window.is_valid) return Value::Int(0);
  return Value::Int(static_cast<std::int64_t>(CountOccurrences(window.text, wanted)));
}

template <bool kAtStart>
Value HasAffix(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const std::string_view name = kAtStart ? "startswith" : "endswith";
  const auto [affix, start, stop] = Bind(name, arguments, {"affix", "start", "end"}, 1);
  const Window window = WindowOf(renderer, self.AsString(), start, stop);
  const auto matches = [&](const Value& value) {
    if (value.Is(Kind::kUndefined)) value.FailUndefined();
    if (!value.Is(Kind::kString)) {
      Raise(FailureKind::kType, "{} first arg must be str or a tuple of str, not {}", name,
            TypeName(value));
    }
    return window.is_valid && (kAtStart ? window.text.starts_with(value.AsString())
                                        : window.text.ends_with(value.AsString()));
  };
  if (!affix.Is(Kind::kTuple)) return Value::Bool(matches(affix));
  const auto options = affix.AsItems();
  return Value::Bool(std::any_of(options.begin(), options.end(), matches));
}

// Whether the text has code points and all are of the classes.
template <unsigned kClasses>
Value AllAre(Renderer&, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("the str method", arguments);
  const std::string_view text = self.AsString();
  for (std::size_t i = 0; i < text.size();) {
    if (!unicode::HasClass(unicode::DecodeNext(text, &i), kClasses)) return Value::Bool(false);
  }
  return Value::Bool(!text.empty());
}

Value IsAllSpace(Renderer&, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("isspace", arguments);
  const std::string_view text = self.AsString();
  return Value::Bool(!text.empty() && StripSpace(text, true, false).empty());
}

Value IsAllAscii(Renderer&, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("isascii", arguments);
  const std::string_view text = self.AsString();
  return Value::Bool(std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
}

Value IsAllPrintable(Renderer& renderer, const Value& self, const Arguments& arguments) {
  return self.AsString().empty() ? Value::Bool(true)
                                 : AllAre<unicode::kPrintable>(renderer, self, arguments);
}

Value IsIdentifier(Renderer&, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("isidentifier", arguments);
  const std::string_view text = self.AsString();
  for (std::size_t i = 0; i < text.size();) {
    const unsigned wanted = i == 0 ? unicode::kIdentifierStart : unicode::kIdentifierPart;
    if (!unicode::HasClass(unicode::DecodeNext(text, &i), wanted)) return Value::Bool(false);
  }
  return Value::Bool(!text.empty());
}

Value IsTitle(Renderer&, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("istitle", arguments);
  const std::string_view text = self.AsString();
  bool in_word = false;
  bool has_word = false;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = unicode::DecodeNext(text, &i);
    if (unicode::HasClass(c, unicode::kUpper | unicode::kTitle)) {
      if (in_word) return Value::Bool(false);
      in_word = has_word = true;
    } else if (unicode::HasClass(c, unicode::kLower)) {
      if (!in_word) return Value::Bool(false);
      has_word = true;
    } else {
      in_word = false;
    }
  }
  return Value::Bool(has_word);
}

template <bool (*kHolds)(std::string_view)>
Value Holds(Renderer&, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("the str method", arguments);
  return Value::Bool(kHolds(self.AsString()));
}

constexpr MethodEntry kTextSearchMethods[] = {
    {"find", Find<false>},
    {"rfind", Find<true>},
    {"index", Index<false>},
    {"rindex", Index<true>},
    {"count", Count},
    {"startswith", HasAffix<true>},
    {"endswith", HasAffix<false>},
    {"isalpha", AllAre<unicode::kAlpha>},
    {"isdecimal", AllAre<unicode::kDecimal>},
    {"isdigit", AllAre<unicode::kDigit>},
    {"isnumeric", AllAre<unicode::kNumeric>},
    {"isalnum", AllAre<unicode::kAlpha | unicode::kDecimal | unicode::kDigit | unicode::kNumeric>},
    {"isspace", IsAllSpace},
    {"isascii", IsAllAscii},
    {"isprintable", IsAllPrintable},
    {"isidentifier", IsIdentifier},
    {"islower", Holds<IsLowerText>},
    {"isupper", Holds<IsUpperText>},
    {"istitle", IsTitle},
};

}  // namespace

std::span<const MethodEntry> TextSearchMethods() { return kTextSearchMethods; }

}  // namespace switchyard::model::jinja
