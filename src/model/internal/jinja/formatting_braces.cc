#include <algorithm>
#include <cmath>
#include <optional>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/formatting.h"
#include "model/internal/jinja/numbers.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

// PEP 3101: [[fill]align][sign][#][0][width][grouping][.precision][type]
struct FormatSpec {
  std::string_view fill = " ";
  char align = 0;
  char grouping = 0;
  std::int64_t width = -1;
  std::int64_t precision = -1;
  NumberStyle style;
};

bool IsAlign(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

FormatSpec ParseSpec(std::string_view text) {
  FormatSpec spec;
  spec.style.type = 0;
  std::size_t i = 0;
  std::size_t fill_end = 0;
  bool has_fill = false;
  if (!text.empty()) unicode::DecodeNext(text, &fill_end);
  if (fill_end > 0 && fill_end < text.size() && IsAlign(text[fill_end])) {
    spec.fill = text.substr(0, fill_end);
    spec.align = text[fill_end];
    has_fill = true;
    i = fill_end + 1;
  } else if (!text.empty() && IsAlign(text[0])) {
    spec.align = text[0];
    i = 1;
  }
  const auto skip = [&](char c) {
    if (i >= text.size() || text[i] != c) return false;
    ++i;
    return true;
  };
  for (const char sign : {'+', '-', ' '}) {
    if (skip(sign)) {
      spec.style.sign = sign;
      break;
    }
  }
  spec.style.alternate = skip('#');
  if (skip('0') && !has_fill) {
    spec.fill = "0";
    if (spec.align == 0) spec.align = '=';
  }
  spec.width = ReadCount(text, &i);
  for (const char grouping : {',', '_'}) {
    if (skip(grouping)) spec.grouping = grouping;
  }
  if (skip('.')) {
    spec.precision = ReadCount(text, &i);
    if (spec.precision < 0) Raise(FailureKind::kValue, "Format specifier missing precision");
    if (spec.precision > kMaxPrecision) {
      Raise(FailureKind::kLimit, "a precision of {} digits is too large", spec.precision);
    }
  }
  if (i < text.size()) spec.style.type = text[i++];
  if (i < text.size()) Raise(FailureKind::kValue, "Invalid format specifier '{}'", text);
  spec.style.precision = static_cast<int>(spec.precision);
  return spec;
}

void AppendAligned(std::string_view text, const FormatSpec& spec, char default_align,
                   TextBuilder& out) {
  const char align = spec.align == 0 ? default_align : spec.align;
  const auto length = static_cast<std::int64_t>(unicode::CountCodePoints(text));
  const auto padding = static_cast<std::size_t>(std::max<std::int64_t>(spec.width - length, 0));
  if (align == '=') {
    const std::size_t head = text.find_first_of("0123456789in");
    const std::size_t sign = std::min(head, text.size());
    const bool marked = spec.style.alternate && text.size() > sign + 1 && text[sign] == '0';
    const std::size_t at = sign + (marked ? 2 : 0);
    out.Append(text.substr(0, at));
    out.Repeat(spec.fill, padding);
    return out.Append(text.substr(at));
  }
  const std::size_t before = align == '>' ? padding : align == '^' ? padding / 2 : 0;
  out.Repeat(spec.fill, before);
  out.Append(text);
  out.Repeat(spec.fill, padding - before);
}

// Puts a separator between every three digits before the point (four for binary, octal, hex).
std::string Grouped(const std::string& digits, char separator, std::size_t every) {
  const std::size_t start = std::min(digits.find_first_of("0123456789"), digits.size());
  std::size_t end = start;
  while (end < digits.size() && digits[end] >= '0' && digits[end] <= '9') ++end;
  std::string out = digits.substr(0, start);
  for (std::size_t i = start; i < end; ++i) {
    if (i > start && (end - i) % every == 0) out.push_back(separator);
    out.push_back(digits[i]);
  }
  return out + digits.substr(end);
}

// A float without a presentation type: repr, or %g with at least one digit after the point.
std::string PlainFloat(const Value& value, const NumberStyle& style) {
  std::string digits;
  if (style.precision < 0) {
    digits = FloatRepr(value.AsFloat());
  } else {
    NumberStyle general = style;
    general.type = 'g';
    general.sign = '-';
    general.precision = std::max(style.precision, 1);
    digits = FormatNumber(value, general);
    const bool has_mark = digits.find_first_of(".en") != std::string::npos;
    if (!has_mark) digits += ".0";
  }
  const bool negative = digits.starts_with('-');
  return negative || style.sign == '-' ? digits : style.sign + digits;
}

void FormatNumberBySpec(const Value& value, FormatSpec spec, TextBuilder& out) {
  const char type = spec.style.type;
  const bool to_float = type != 0 && std::string_view("eEfFgG%").find(type) != std::string::npos;
  const bool to_int = type != 0 && std::string_view("bdoxXn").find(type) != std::string::npos;
  std::string digits;
  if (value.Is(Kind::kFloat) && type == 0) {
    digits = PlainFloat(value, spec.style);
  } else if (to_float) {
    digits = FormatNumber(value, spec.style);
  } else if (value.IsIntegral() && (type == 0 || to_int)) {
    if (spec.precision >= 0) {
      Raise(FailureKind::kValue, "Precision not allowed in integer format specifier");
    }
    if (type == 0 || type == 'n') spec.style.type = 'd';
    digits = FormatNumber(value, spec.style);
  } else if (value.IsIntegral() && type == 'c') {
    if (value.AsInt() < 0 || value.AsInt() > 0x10FFFF) {
      Raise(FailureKind::kValue, "%c arg not in range(0x110000)");
    }
    unicode::AppendUtf8(static_cast<char32_t>(value.AsInt()), &digits);
    return AppendAligned(digits, spec, '<', out);
  } else {
    Raise(FailureKind::kValue, "Unknown format code '{}' for object of type '{}'", type,
          TypeName(value));
  }
  if (spec.grouping != 0) {
    const bool by_four = type == 'b' || type == 'o' || type == 'x' || type == 'X';
    digits = Grouped(digits, spec.grouping, by_four ? 4 : 3);
  }
  AppendAligned(digits, spec, '>', out);
}

// Walks a format text and its replacement fields.
class BraceFormatter {
 public:
  BraceFormatter(Renderer& renderer, const Arguments& arguments, bool escapes)
      : renderer_(renderer), arguments_(arguments), escapes_(escapes) {}

  void Run(std::string_view format, int nesting, TextBuilder& out) {
    if (nesting > 1) Raise(FailureKind::kValue, "Max string recursion exceeded");
    for (std::size_t i = 0; i < format.size(); ++i) {
      const char c = format[i];
      const bool doubled = i + 1 < format.size() && format[i + 1] == c;
      if (c == '{' && !doubled) {
        i = ReplaceField(format, i + 1, nesting, out);
        continue;
      }
      if (c == '}' && !doubled) {
        Raise(FailureKind::kValue, "Single '}}' encountered in format string");
      }
      if (c == '{' || c == '}') ++i;
      out.Append(c);
    }
  }

 private:
  // Writes the field that starts at `start` and returns the offset of its closing brace.
  std::size_t ReplaceField(std::string_view format, std::size_t start, int nesting,
                           TextBuilder& out) {
    std::size_t end = start;
    for (int open = 1; end < format.size(); ++end) {
      if (format[end] == '{') ++open;
      if (format[end] == '}' && --open == 0) break;
    }
    if (end >= format.size()) Raise(FailureKind::kValue, "expected '}}' before end of string");
    const std::string_view field = format.substr(start, end - start);
    const std::size_t name_end = std::min(field.find_first_of("!:"), field.size());
    Value value = ValueOf(field.substr(0, name_end));
    std::size_t i = name_end;
    if (i < field.size() && field[i] == '!') {
      if (i + 1 >= field.size()) {
        Raise(FailureKind::kValue, "end of string while looking for conversion specifier");
      }
      value = Converted(value, field[i + 1]);
      i += 2;
      if (i < field.size() && field[i] != ':') {
        Raise(FailureKind::kValue, "expected ':' after conversion specifier");
      }
    }
    TextBuilder spec(renderer_.arena());
    if (i < field.size()) Run(field.substr(i + 1), nesting + 1, spec);
    TextBuilder text(renderer_.arena());
    FormatBySpec(renderer_, value, spec.Finish(), text);
    if (escapes_ && !value.IsMarkup()) {
      EscapeHtml(text.Finish(), out);
    } else {
      out.Append(text.Finish());
    }
    return end;
  }

  Value Converted(const Value& value, char conversion) {
    Arena& arena = renderer_.arena();
    if (conversion == 's') return Value::String(ToText(arena, value));
    if (conversion == 'r' || conversion == 'a') {
      return Value::String(arena.Copy(Repr(arena, value)));
    }
    Raise(FailureKind::kValue, "Unknown conversion specifier {}", conversion);
  }

  Value ValueOf(std::string_view name) {
    const std::size_t head_end = std::min(name.find_first_of(".["), name.size());
    Value value = Argument(name.substr(0, head_end));
    std::string_view rest = name.substr(head_end);
    while (!rest.empty()) {
      renderer_.arena().Spend(1);
      if (rest[0] == '.') {
        const std::size_t end = std::min(rest.find_first_of(".[", 1), rest.size());
        if (end == 1) Raise(FailureKind::kValue, "Empty attribute in format string");
        value = renderer_.GetAttribute(value, rest.substr(1, end - 1));
        rest = rest.substr(end);
      } else if (rest[0] == '[') {
        const std::size_t end = rest.find(']');
        if (end == std::string_view::npos) {
          Raise(FailureKind::kValue, "Missing ']' in format string");
        }
        const std::string_view key = rest.substr(1, end - 1);
        const auto index = IndexIn(key);
        value = renderer_.GetItem(value, index ? Value::Int(*index) : Value::String(key));
        rest = rest.substr(end + 1);
      } else {
        Raise(FailureKind::kValue, "Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return value;
  }

  static std::optional<std::int64_t> IndexIn(std::string_view text) {
    const bool digits = text.find_first_not_of("0123456789") == std::string_view::npos;
    return digits && !text.empty() ? ParseInt(text, 10) : std::nullopt;
  }

  Value Argument(std::string_view name) {
    const auto index = name.empty() ? std::optional<std::int64_t>(next_++) : IndexIn(name);
    if (index) {
      const auto at = static_cast<std::size_t>(*index);
      if (at < arguments_.positional.size()) return arguments_.positional[at];
      Raise(FailureKind::kValue, "Replacement index {} out of range for positional args tuple",
            *index);
    }
    for (const NamedValue& argument : arguments_.named) {
      if (argument.name == name) return argument.value;
    }
    Raise(FailureKind::kValue, "KeyError: '{}'", name);
  }

  Renderer& renderer_;
  const Arguments& arguments_;
  bool escapes_;
  std::int64_t next_ = 0;
};

}  // namespace

void FormatBySpec(Renderer& renderer, const Value& value, std::string_view spec_text,
                  TextBuilder& out) {
  if (spec_text.empty()) return PrintText(value, out);
  if (value.IsNumber()) return FormatNumberBySpec(value, ParseSpec(spec_text), out);
  if (!value.Is(Kind::kString)) {
    Raise(FailureKind::kType, "unsupported format string passed to {}.__format__", TypeName(value));
  }
  const FormatSpec spec = ParseSpec(spec_text);
  if (spec.style.type != 0 && spec.style.type != 's') {
    Raise(FailureKind::kValue, "Unknown format code '{}' for object of type 'str'",
          spec.style.type);
  }
  if (spec.align == '=' && spec.fill != "0") {
    Raise(FailureKind::kValue, "'=' alignment not allowed in string format specifier");
  }
  std::string_view text = value.AsString();
  renderer.arena().Spend(text.size() / 64);
  if (spec.precision >= 0) {
    text = text.substr(0, unicode::OffsetOf(text, static_cast<std::size_t>(spec.precision)));
  }
  FormatSpec aligned = spec;
  if (aligned.align == '=') aligned.align = '<';
  AppendAligned(text, aligned, '<', out);
}

Value FormatBraces(Renderer& renderer, const Value& format, const Arguments& arguments) {
  TextBuilder out(renderer.arena());
  BraceFormatter(renderer, arguments, format.IsMarkup()).Run(format.AsString(), 0, out);
  return format.IsMarkup() ? Value::Markup(out.Finish()) : Value::String(out.Finish());
}

}  // namespace switchyard::model::jinja
