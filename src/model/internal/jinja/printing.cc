#include "model/internal/jinja/printing.h"

#include <algorithm>
#include <cmath>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/numbers.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/stable_sort.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

void CheckDepth(int depth) {
  if (depth > kMaxValueDepth) {
    Raise(FailureKind::kLimit, "a value nested deeper than {} levels is printed", kMaxValueDepth);
  }
}

void PrintStringRepr(std::string_view text, TextBuilder& out) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out.Append(quote);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const char32_t c = unicode::DecodeNext(text, &i);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out.Append('\\');
      out.Append(text[start]);
    } else if (c == '\n') {
      out.Append("\\n");
    } else if (c == '\r') {
      out.Append("\\r");
    } else if (c == '\t') {
      out.Append("\\t");
    } else if (c == unicode::kMalformed) {
      // Python would hold such a byte as a lone surrogate (PEP 383).
      out.Append(fmt::format("\\udc{:02x}", static_cast<unsigned char>(text[start])));
    } else if (unicode::HasClass(c, unicode::kPrintable)) {
      out.Append(text.substr(start, i - start));
    } else if (c < 0x100) {
      out.Append(fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c)));
    } else if (c < 0x10000) {
      out.Append(fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c)));
    } else {
      out.Append(fmt::format("\\U{:08x}", static_cast<std::uint32_t>(c)));
    }
  }
  out.Append(quote);
}

void PrintJsonString(std::string_view text, bool ensure_ascii, TextBuilder& out) {
  out.Append('"');
  std::size_t copied = 0;
  const auto replace = [&](std::size_t start, std::size_t end, std::string_view with) {
    out.Append(text.substr(copied, start - copied));
    out.Append(with);
    copied = end;
  };
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const unsigned char byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != 0x7F) {
      ++i;
      continue;
    }
    const char32_t c = unicode::DecodeNext(text, &i);
    constexpr std::string_view kLetters = "\"\\\n\r\t\f\b";
    constexpr std::string_view kEscapes = "\"\\nrtfb";
    const std::size_t known = c < 0x80 ? kLetters.find(static_cast<char>(c)) : std::string::npos;
    if (known != std::string_view::npos) {
      replace(start, i, {std::string{'\\', kEscapes[known]}});
    } else if (c < 0x20 || (ensure_ascii && c < 0x10000 && (c >= 0x7F))) {
      replace(start, i, fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c)));
    } else if (ensure_ascii && c < unicode::kMalformed && c >= 0x10000) {
      const auto offset = static_cast<std::uint32_t>(c) - 0x10000;
      replace(
          start, i,
          fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF)));
    }
  }
  out.Append(text.substr(copied));
  out.Append('"');
}

std::string JsonNumber(const Value& value) {
  if (value.Is(Kind::kBool)) return value.AsBool() ? "true" : "false";
  if (value.Is(Kind::kInt)) return fmt::format("{}", value.AsInt());
  const double real = value.AsFloat();
  if (std::isnan(real)) return "NaN";
  if (std::isinf(real)) return real < 0 ? "-Infinity" : "Infinity";
  return FloatRepr(real);
}

void PrintJsonKey(const Value& key, const JsonStyle& style, TextBuilder& out) {
  if (key.Is(Kind::kString)) {
    PrintJsonString(key.AsString(), style.ensure_ascii, out);
  } else if (key.IsNumber() || key.Is(Kind::kNone)) {
    out.Append('"');
    out.Append(key.Is(Kind::kNone) ? "null" : JsonNumber(key));
    out.Append('"');
  } else {
    Raise(FailureKind::kType, "keys must be str, int, float, bool or None, not {}", TypeName(key));
  }
}

// Writes the line breaks, indents and separators around a container's items.
class JsonLayout {
 public:
  JsonLayout(const JsonStyle& style, TextBuilder& out, int depth)
      : style_(style), out_(out), depth_(static_cast<std::size_t>(depth)) {}

  void BeforeItem() {
    if (!first_) out_.Append(style_.item_separator);
    first_ = false;
    BreakLine(depth_ + 1);
  }
  void End() { BreakLine(depth_); }

 private:
  void BreakLine(std::size_t depth) {
    if (!style_.indent) return;
    out_.Append('\n');
    out_.Repeat(*style_.indent, depth);
  }

  const JsonStyle& style_;
  TextBuilder& out_;
  std::size_t depth_;
  bool first_ = true;
};

void PrintJsonDict(Arena& arena, const Dict& dict, const JsonStyle& style, TextBuilder& out,
                   int depth) {
  if (dict.entries().empty()) return out.Append("{}");
  std::vector<const Dict::Entry*> order;
  for (const Dict::Entry& entry : dict.entries()) order.push_back(&entry);
  if (style.sort_keys) {
    StableSort(&order, [&](const Dict::Entry* a, const Dict::Entry* b) {
      arena.Spend(1);
      return IsLess(arena, a->key, b->key);
    });
  }
  out.Append('{');
  JsonLayout layout(style, out, depth);
  for (const Dict::Entry* entry : order) {
    layout.BeforeItem();
    PrintJsonKey(entry->key, style, out);
    out.Append(style.key_separator);
    PrintJson(arena, entry->value, style, out, depth + 1);
  }
  layout.End();
  out.Append('}');
}

}  // namespace

std::string_view ToText(Arena& arena, const Value& value) {
  if (value.Is(Kind::kString)) return value.AsString();
  if (value.Is(Kind::kUndefined)) return {};
  TextBuilder out(arena);
  PrintRepr(value, out);
  return out.Finish();
}

void PrintText(const Value& value, TextBuilder& out) {
  if (value.Is(Kind::kString)) {
    out.Append(value.AsString());
  } else if (!value.Is(Kind::kUndefined)) {
    PrintRepr(value, out);
  }
}

std::string Repr(Arena& arena, const Value& value) {
  TextBuilder out(arena);
  PrintRepr(value, out);
  return out.Text();
}

void PrintRepr(const Value& value, TextBuilder& out, int depth) {
  CheckDepth(depth);
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return out.Append("Undefined");
    case Kind::kNone:
      return out.Append("None");
    case Kind::kBool:
      return out.Append(value.AsBool() ? "True" : "False");
    case Kind::kInt:
      return out.Append(fmt::format("{}", value.AsInt()));
    case Kind::kFloat:
      return out.Append(FloatRepr(value.AsFloat()));
    case Kind::kString:
      if (value.IsMarkup()) out.Append("Markup(");
      PrintStringRepr(value.AsString(), out);
      if (value.IsMarkup()) out.Append(')');
      return;
    case Kind::kList:
    case Kind::kTuple: {
      const auto items = value.AsItems();
      const bool is_tuple = value.Is(Kind::kTuple);
      out.Append(is_tuple ? '(' : '[');
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out.Append(", ");
        PrintRepr(items[i], out, depth + 1);
      }
      if (is_tuple && items.size() == 1) out.Append(',');
      return out.Append(is_tuple ? ')' : ']');
    }
    case Kind::kDict: {
      out.Append('{');
      bool first = true;
      for (const auto& [key, entry] : value.AsDict().entries()) {
        if (!first) out.Append(", ");
        first = false;
        PrintRepr(key, out, depth + 1);
        out.Append(": ");
        PrintRepr(entry, out, depth + 1);
      }
      return out.Append('}');
    }
    case Kind::kObject:
      return value.AsObject().Print(out, depth);
  }
}

void PrintJson(Arena& arena, const Value& value, const JsonStyle& style, TextBuilder& out,
               int depth) {
  CheckDepth(depth);
  arena.Spend(1);
  switch (value.kind()) {
    case Kind::kNone:
      return out.Append("null");
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return out.Append(JsonNumber(value));
    case Kind::kString:
      return PrintJsonString(value.AsString(), style.ensure_ascii, out);
    case Kind::kList:
    case Kind::kTuple: {
      if (value.AsItems().empty()) return out.Append("[]");
      out.Append('[');
      JsonLayout layout(style, out, depth);
      for (const Value& item : value.AsItems()) {
        layout.BeforeItem();
        PrintJson(arena, item, style, out, depth + 1);
      }
      layout.End();
      return out.Append(']');
    }
    case Kind::kDict:
      return PrintJsonDict(arena, value.AsDict(), style, out, depth);
    default:
      Raise(FailureKind::kType, "Object of type {} is not JSON serializable", TypeName(value));
  }
}

void EscapeHtml(std::string_view text, TextBuilder& out) {
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const std::string_view escape = c == '&'    ? "&amp;"
                                    : c == '<'  ? "&lt;"
                                    : c == '>'  ? "&gt;"
                                    : c == '\'' ? "&#39;"
                                    : c == '"'  ? "&#34;"
                                                : "";
    if (escape.empty()) continue;
    out.Append(text.substr(copied, i - copied));
    out.Append(escape);
    copied = i + 1;
  }
  out.Append(text.substr(copied));
}

}  // namespace switchyard::model::jinja
