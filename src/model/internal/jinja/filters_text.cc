// Filters whose result is a text.
#include <algorithm>
#include <array>
#include <optional>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/filters.h"
#include "model/internal/jinja/formatting.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/lookup.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/jinja/text.h"
#include "model/internal/jinja/text_values.h"
#include "model/internal/unicode/case_mapping.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

// markupsafe.soft_str: a string as it is, anything else as str() has it.
Value SoftText(Renderer& renderer, const Value& value) {
  return value.Is(Kind::kString) ? value : Value::String(ToText(renderer.arena(), value));
}

template <std::string (*kConvert)(std::string_view)>
Value ConvertFilter(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("the filter", arguments);
  return ConvertText(renderer.arena(), SoftText(renderer, input), kConvert);
}

// jinja2's own notion of words: cut at blanks, hyphens and opening brackets.
std::string TitleWords(std::string_view text) {
  std::string out;
  std::size_t start = 0;
  const auto flush = [&](std::size_t end) {
    const std::string_view word = text.substr(start, end - start);
    const std::size_t head = unicode::OffsetOf(word, 1);
    out += unicode::ToUpper(word.substr(0, head)) + unicode::ToLower(word.substr(head));
  };
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t at = i;
    const char32_t c = unicode::DecodeNext(text, &i);
    if (!unicode::IsSpace(c) && c != '-' && c != '(' && c != '{' && c != '[' && c != '<') continue;
    flush(at);
    out += text.substr(at, i - at);
    start = i;
  }
  flush(text.size());
  return out;
}

Value Trim(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [characters] = Bind("trim", arguments, {"chars"});
  return StripText(SoftText(renderer, input), characters, true, true);
}

Value ReplaceFilter(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [old_text, new_text, limit] = Bind("replace", arguments, {"old", "new", "count"}, 2);
  Arena& arena = renderer.arena();
  return Value::String(ReplaceText(arena, ToText(arena, input), ToText(arena, old_text),
                                   ToText(arena, new_text),
                                   IsGiven(limit) ? ToInt(limit, "replace's count") : -1));
}

Value JoinFilter(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [separator, attribute] = Bind("join", arguments, {"d", "attribute"});
  const std::string_view between =
      separator.Is(Kind::kMissing) ? std::string_view() : ToText(renderer.arena(), separator);
  const AttributePath path(renderer, attribute);
  Iterator& items = IteratorOver(renderer, input);
  TextBuilder out(renderer.arena());
  bool is_first = true;
  for (Value item; items.Next(&item); is_first = false) {
    renderer.arena().Spend(1);
    if (!is_first) out.Append(between);
    PrintText(path.Get(item), out);
  }
  return Value::String(out.Finish());
}

Value Indent(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [width, first, blank] = Bind("indent", arguments, {"width", "first", "blank"});
  if (input.Is(Kind::kUndefined)) input.FailUndefined();
  const std::string_view text = ToString(input, "indent's text");
  Arena& arena = renderer.arena();
  std::string_view indention = "    ";
  if (width.Is(Kind::kString)) {
    indention = width.AsString();
  } else if (!width.Is(Kind::kMissing)) {
    TextBuilder spaces(arena);
    const std::int64_t count = std::max<std::int64_t>(ToInt(width, "indent's width"), 0);
    spaces.Repeat(" ", static_cast<std::size_t>(count));
    indention = spaces.Finish();
  }
  if (text.size() > arena.remaining_bytes() / sizeof(std::string_view)) {
    Raise(FailureKind::kLimit, "a text of {} bytes is too long to indent", text.size());
  }
  // A line end is added first, so that a last line end counts as a line of its own.
  TextBuilder whole(arena);
  whole.Append(text);
  whole.Append('\n');
  const std::string_view source = whole.Finish();
  TextBuilder out(arena);
  if (IsTrue(first)) out.Append(indention);
  bool is_first = true;
  for (const std::string_view line : SplitLines(source, false)) {
    if (!is_first) out.Append('\n');
    if (!is_first && (IsTrue(blank) || !line.empty())) out.Append(indention);
    out.Append(line);
    is_first = false;
  }
  return TextLike(input, out.Finish());
}

Value Format(Renderer& renderer, const Value& input, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    Raise(FailureKind::kRuntime, "can't handle positional and keyword arguments at the same time");
  }
  Value values = Value::Tuple(arguments.positional);
  if (!arguments.named.empty()) {
    Dict* dict = renderer.arena().New<Dict>(renderer.arena());
    for (const auto& [name, value] : arguments.named) dict->Set(Value::String(name), value);
    values = Value::Of(dict);
  }
  return FormatPercent(renderer, SoftText(renderer, input), values);
}

Value ToJson(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [ensure_ascii, indent, separators, sort_keys] =
      Bind("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = IsTrue(ensure_ascii);
  style.sort_keys = IsTrue(sort_keys);
  if (IsGiven(indent)) {
    style.item_separator.assign(1, ',');  // GCC 12 sees an overlap in = ","
    if (indent.Is(Kind::kString)) {
      style.indent = std::string(indent.AsString());
    } else {
      const std::int64_t width = std::max<std::int64_t>(ToInt(indent, "tojson's indent"), 0);
      constexpr std::int64_t kWidest = 1000;
      if (width > kWidest) Raise(FailureKind::kLimit, "an indent of {} is too wide", width);
      style.indent = std::string(static_cast<std::size_t>(width), ' ');
    }
  }
  if (IsGiven(separators)) {
    const auto pair = ItemsOf(renderer, separators);
    if (pair.size() != 2) {
      Raise(FailureKind::kValue, "tojson's separators must be two texts, not {}", pair.size());
    }
    style.item_separator = ToString(pair[0], "tojson's item separator");
    style.key_separator = ToString(pair[1], "tojson's key separator");
  }
  TextBuilder out(renderer.arena());
  PrintJson(renderer.arena(), input, style, out);
  return Value::String(out.Finish());
}

Value AsText(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("string", arguments);
  return SoftText(renderer, input);
}

Value Safe(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("safe", arguments);
  return Value::Markup(ToText(renderer.arena(), input));
}

Value Escape(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("escape", arguments);
  return Value::Markup(EscapedText(renderer.arena(), input));
}

Value ForceEscape(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("forceescape", arguments);
  TextBuilder out(renderer.arena());
  EscapeHtml(ToText(renderer.arena(), input), out);
  return Value::Markup(out.Finish());
}

Value Center(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [width] = Bind("center", arguments, {"width"});
  return JustifyText(renderer.arena(), SoftText(renderer, input),
                     width.Is(Kind::kMissing) ? 80 : ToInt(width, "center's width"), " ", '^');
}

Value Truncate(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [length_value, killwords, end_value, leeway_value] =
      Bind("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::string_view text = ToString(input, "truncate's text");
  const std::int64_t length =
      length_value.Is(Kind::kMissing) ? 255 : ToInt(length_value, "truncate's length");
  const std::string_view end = end_value.Is(Kind::kMissing) ? std::string_view("...")
                                                            : ToString(end_value, "truncate's end");
  const std::int64_t leeway = IsGiven(leeway_value) ? ToInt(leeway_value, "truncate's leeway") : 5;
  const auto end_length = static_cast<std::int64_t>(unicode::CountCodePoints(end));
  if (length < end_length) {
    Raise(FailureKind::kValue, "expected length >= {}, got {}", end_length, length);
  }
  if (leeway < 0) Raise(FailureKind::kValue, "expected leeway >= 0, got {}", leeway);
  const auto size = static_cast<std::int64_t>(unicode::CountCodePoints(text));
  if (size - leeway <= length) return input;
  std::string_view kept =
      text.substr(0, unicode::OffsetOf(text, static_cast<std::size_t>(length - end_length)));
  if (!IsTrue(killwords)) kept = kept.substr(0, kept.rfind(' '));
  TextBuilder out(renderer.arena());
  out.Append(kept);
  out.Append(end);
  return TextLike(input, out.Finish());
}

// markupsafe's striptags: comments and tags go, runs of whitespace become one blank, entities stay.
Value StripTags(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("striptags", arguments);
  std::string_view rest = ToText(renderer.arena(), input);
  TextBuilder without(renderer.arena());
  while (!rest.empty()) {
    const std::size_t open = std::min(rest.find('<'), rest.size());
    without.Append(rest.substr(0, open));
    rest = rest.substr(open);
    if (rest.empty()) break;
    const std::string_view close = rest.starts_with("<!--") ? "-->" : ">";
    const std::size_t end = rest.find(close, close.size() == 3 ? 4 : 1);
    if (end == std::string_view::npos) {
      without.Append(rest);
      break;
    }
    rest = rest.substr(end + close.size());
  }
  TextBuilder out(renderer.arena());
  const std::string_view text = without.Finish();
  bool is_first = true;
  for (std::string_view left = StripSpace(text, true, true); !left.empty();) {
    const auto words = SplitAtSpace(left, 1);
    if (!is_first) out.Append(' ');
    out.Append(words[0]);
    is_first = false;
    left = words.size() > 1 ? words[1] : std::string_view();
  }
  return Value::String(out.Finish());
}

void AppendQuoted(std::string_view text, bool for_query, TextBuilder& out) {
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !for_query);
    if (plain) {
      out.Append(c);
    } else if (c == ' ' && for_query) {
      out.Append('+');
    } else {
      out.Append(fmt::format("%{:02X}", static_cast<unsigned char>(c)));
    }
  }
}

Value UrlEncode(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("urlencode", arguments);
  Arena& arena = renderer.arena();
  TextBuilder out(arena);
  Iterator* items = nullptr;
  if (input.Is(Kind::kDict)) {
    items = arena.New<DictView>(input.AsDict(), DictView::Part::kItems)->Iterate(renderer);
  } else if (!input.Is(Kind::kString)) {
    items = FindIterator(renderer, input);
  }
  if (items == nullptr) {
    AppendQuoted(ToText(arena, input), false, out);
    return Value::String(out.Finish());
  }
  bool is_first = true;
  for (Value item; items->Next(&item); is_first = false) {
    const auto pair = ItemsOf(renderer, item);
    if (pair.size() != 2) Raise(FailureKind::kValue, "urlencode wants pairs of key and value");
    if (!is_first) out.Append('&');
    AppendQuoted(ToText(arena, pair[0]), true, out);
    out.Append('=');
    AppendQuoted(ToText(arena, pair[1]), true, out);
  }
  return Value::String(out.Finish());
}

Value FileSizeFormat(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [binary_value] = Bind("filesizeformat", arguments, {"binary"});
  if (!input.IsNumber()) Raise(FailureKind::kType, "filesizeformat wants a number");
  const bool binary = IsTrue(binary_value);
  const double base = binary ? 1024 : 1000;
  const double bytes = input.AsNumber();
  std::string text;
  if (bytes == 1) {
    text = "1 Byte";
  } else if (bytes < base) {
    text = fmt::format("{} Bytes", static_cast<std::int64_t>(std::max(bytes, -1e18)));
  } else {
    constexpr std::string_view kPrefixes = "KMGTPEZY";
    double unit = base;
    std::size_t prefix = 0;
    while (prefix + 1 < kPrefixes.size() && bytes >= unit * base) {
      unit *= base;
      ++prefix;
    }
    const char letter = prefix == 0 && !binary ? 'k' : kPrefixes[prefix];
    text = fmt::format("{:.1f} {}{}B", bytes / unit, letter, binary ? "i" : "");
  }
  return Value::String(renderer.arena().Copy(text));
}

Value XmlAttributes(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [autospace] = Bind("xmlattr", arguments, {"autospace"});
  if (!input.Is(Kind::kDict)) Raise(FailureKind::kType, "xmlattr wants a dict");
  Arena& arena = renderer.arena();
  TextBuilder out(arena);
  bool is_first = true;
  for (const auto& [key, value] : input.AsDict().entries()) {
    if (value.Is(Kind::kNone) || value.Is(Kind::kUndefined)) continue;
    const std::string_view name = ToString(key, "an attribute's name");
    if (name.find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) {
      Raise(FailureKind::kValue, "Invalid character in attribute name: '{}'", name);
    }
    if (!is_first || autospace.Is(Kind::kMissing) || IsTrue(autospace)) out.Append(' ');
    is_first = false;
    out.Append(EscapedText(arena, key));
    out.Append("=\"");
    out.Append(EscapedText(arena, value));
    out.Append('"');
  }
  return Value::String(out.Finish());
}

constexpr FilterEntry kTextFilters[] = {
    {"capitalize", ConvertFilter<unicode::Capitalize>},
    {"center", Center},
    {"e", Escape},
    {"escape", Escape},
    {"filesizeformat", FileSizeFormat},
    {"forceescape", ForceEscape},
    {"format", Format},
    {"indent", Indent},
    {"join", JoinFilter},
    {"lower", ConvertFilter<unicode::ToLower>},
    {"replace", ReplaceFilter},
    {"safe", Safe},
    {"string", AsText},
    {"striptags", StripTags},
    {"title", ConvertFilter<TitleWords>},
    {"tojson", ToJson},
    {"trim", Trim},
    {"truncate", Truncate},
    {"upper", ConvertFilter<unicode::ToUpper>},
    {"urlencode", UrlEncode},
    {"xmlattr", XmlAttributes},
};

}  // namespace

std::span<const FilterEntry> TextFilters() { return kTextFilters; }

}  // namespace switchyard::model::jinja
