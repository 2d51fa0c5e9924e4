#include "model/internal/jinja/formatting.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <vector>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/numbers.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

std::string IntegerDigits(std::uint64_t magnitude, char type) {
  switch (type) {
    case 'b':
      return fmt::format("{:b}", magnitude);
    case 'o':
      return fmt::format("{:o}", magnitude);
    case 'x':
      return fmt::format("{:x}", magnitude);
    case 'X':
      return fmt::format("{:X}", magnitude);
    default:
      return fmt::format("{}", magnitude);
  }
}

std::string FloatDigits(double magnitude, char type, int precision, bool alternate) {
  const bool percent = type == '%';
  const bool upper = type == 'E' || type == 'F' || type == 'G';
  if (!std::isfinite(magnitude)) {
    std::string text = std::isnan(magnitude) ? "nan" : "inf";
    if (upper) std::transform(text.begin(), text.end(), text.begin(), ::toupper);
    return percent ? text + "%" : text;
  }
  const std::string pattern =
      std::string("%") + (alternate ? "#" : "") + ".*" + (percent ? 'f' : type);
  const double value = percent ? magnitude * 100 : magnitude;
  const int digits = precision < 0 ? 6 : precision;
  std::string buffer(static_cast<std::size_t>(digits) + 350, '\0');
  // The pattern is one of nine built just above, so the format string isn't the caller's.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const int length = std::snprintf(buffer.data(), buffer.size(), pattern.c_str(), digits, value);
#pragma GCC diagnostic pop
  buffer.resize(static_cast<std::size_t>(length));
  return percent ? buffer + "%" : buffer;
}

void AppendPadded(std::string_view text, std::int64_t width, std::string_view fill, char align,
                  TextBuilder& out) {
  const auto length = static_cast<std::int64_t>(unicode::CountCodePoints(text));
  const auto padding = static_cast<std::size_t>(std::max<std::int64_t>(width - length, 0));
  const std::size_t before = align == '>' ? padding : align == '^' ? padding / 2 : 0;
  if (align == '=' && padding > 0) {  // between the sign, the base's mark and the digits
    std::size_t head =
        !text.empty() && (text[0] == '-' || text[0] == '+' || text[0] == ' ') ? 1 : 0;
    if (text.size() > head + 1 && text[head] == '0' && !IsDigit(text[head + 1]) &&
        text[head + 1] != '.') {
      head += 2;
    }
    out.Append(text.substr(0, head));
    out.Repeat(fill, padding);
    return out.Append(text.substr(head));
  }
  out.Repeat(fill, before);
  out.Append(text);
  out.Repeat(fill, padding - before);
}

// One conversion of the % operator.
struct PercentSpec {
  bool left = false;
  bool zero = false;
  NumberStyle style;
  std::int64_t width = -1;
  std::int64_t precision = -1;
};

class PercentFormatter {
 public:
  PercentFormatter(Renderer& renderer, const Value& format, const Value& values, TextBuilder& out)
      : renderer_(renderer),
        format_(format.AsString()),
        is_markup_(format.IsMarkup()),
        values_(values),
        out_(out) {}

  void Run() {
    for (std::size_t i = 0; i < format_.size();) {
      const std::size_t percent = std::min(format_.find('%', i), format_.size());
      out_.Append(format_.substr(i, percent - i));
      if (percent == format_.size()) break;
      i = percent + 1;
      Convert(&i);
    }
    const bool takes_all = !values_.Is(Kind::kTuple) && !used_mapping_ && IsMapping();
    const std::size_t count = values_.Is(Kind::kTuple) ? values_.AsItems().size() : 1;
    if (!takes_all && !used_mapping_ && next_ < count) {
      Raise(FailureKind::kType, "not all arguments converted during string formatting");
    }
  }

 private:
  bool IsMapping() const {  // has items by key, so leftovers are fine
    return values_.Is(Kind::kDict) || values_.Is(Kind::kList) || values_.Is(Kind::kUndefined);
  }

  Value NextValue() {
    if (values_.Is(Kind::kTuple)) {
      if (next_ < values_.AsItems().size()) return values_.AsItems()[next_++];
    } else if (next_ == 0) {
      ++next_;
      return values_;
    }
    Raise(FailureKind::kType, "not enough arguments for format string");
  }

  Value ValueByName(std::size_t* i) {
    if (!values_.Is(Kind::kDict)) Raise(FailureKind::kType, "format requires a mapping");
    std::size_t open = 1;
    const std::size_t start = ++*i;
    for (; *i < format_.size(); ++*i) {
      if (format_[*i] == '(') ++open;
      if (format_[*i] == ')' && --open == 0) break;
    }
    if (*i >= format_.size()) Raise(FailureKind::kValue, "incomplete format key");
    const std::string_view name = format_.substr(start, *i - start);
    ++*i;
    used_mapping_ = true;
    const Value* value = values_.AsDict().Find(name);
    if (value == nullptr) Raise(FailureKind::kValue, "KeyError: '{}'", name);
    return *value;
  }

  std::int64_t ReadStarOrCount(std::size_t* i) {
    if (*i < format_.size() && format_[*i] == '*') {
      ++*i;
      const Value value = NextValue();
      if (!value.IsIntegral()) Raise(FailureKind::kType, "* wants int");
      return value.AsInt();
    }
    return ReadCount(format_, i);
  }

  void Convert(std::size_t* i) {
    PercentSpec spec;
    Value value;
    if (*i < format_.size() && format_[*i] == '(') value = ValueByName(i);
    for (; *i < format_.size(); ++*i) {
      const char flag = format_[*i];
      if (flag == '-') {
        spec.left = true;
      } else if (flag == '0') {
        spec.zero = true;
      } else if (flag == '#') {
        spec.style.alternate = true;
      } else if (flag == '+' || (flag == ' ' && spec.style.sign != '+')) {
        spec.style.sign = flag;
      } else if (flag != ' ') {
        break;
      }
    }
    spec.width = ReadStarOrCount(i);
    if (spec.width < -1) {
      spec.left = true;
      spec.width = spec.width == INT64_MIN ? INT64_MAX : -spec.width;
    }
    if (*i < format_.size() && format_[*i] == '.') {
      ++*i;
      spec.precision = std::max<std::int64_t>(ReadStarOrCount(i), 0);
    }
    while (*i < format_.size() &&
           (format_[*i] == 'l' || format_[*i] == 'h' || format_[*i] == 'L')) {
      ++*i;
    }
    if (*i >= format_.size()) Raise(FailureKind::kValue, "incomplete format");
    const char type = format_[(*i)++];
    if (type == '%') return out_.Append('%');
    if (value.Is(Kind::kMissing)) value = NextValue();
    Write(value, type, spec);
  }

  void Write(const Value& value, char type, PercentSpec spec) {
    Arena& arena = renderer_.arena();
    if (type == 's' || type == 'r' || type == 'a') {
      TextBuilder text(arena);
      if (type == 's') {
        text.Append(is_markup_ ? EscapedText(arena, value) : ToText(arena, value));
      } else {
        PrintRepr(value, text);
      }
      spec.zero = false;
      return Pad(Truncated(text.Finish(), spec.precision), spec);
    }
    if (type == 'c') {
      std::string unit;
      if (value.IsIntegral() && value.AsInt() >= 0 && value.AsInt() <= 0x10FFFF) {
        unicode::AppendUtf8(static_cast<char32_t>(value.AsInt()), &unit);
      } else if (value.Is(Kind::kString) && unicode::CountCodePoints(value.AsString()) == 1) {
        unit = value.AsString();
      } else {
        Raise(FailureKind::kType, "%c requires int or char");
      }
      spec.zero = false;
      return Pad(unit, spec);
    }
    if (std::string_view("diuoxXeEfFgG").find(type) == std::string_view::npos) {
      Raise(FailureKind::kValue, "unsupported format character '{}'", type);
    }
    if (value.Is(Kind::kUndefined)) value.FailUndefined();
    const bool is_integer = std::string_view("diuoxX").find(type) != std::string_view::npos;
    const bool is_decimal = type == 'd' || type == 'i' || type == 'u';
    if (!value.IsNumber() || (is_integer && !is_decimal && value.Is(Kind::kFloat))) {
      Raise(FailureKind::kType, "%{} format: {} is required, not {}", type,
            is_decimal || !is_integer ? "a real number" : "an integer", TypeName(value));
    }
    if (spec.precision > kMaxPrecision) {
      Raise(FailureKind::kLimit, "a precision of {} digits is too large", spec.precision);
    }
    spec.style.type = is_decimal ? 'd' : type;
    spec.style.precision = static_cast<int>(spec.precision);
    if (!is_integer) return Pad(FormatNumber(value, spec.style), spec);
    const Value whole = value.Is(Kind::kFloat) ? Value::Int(TruncateToInt(value.AsFloat())) : value;
    std::string digits = FormatNumber(whole, spec.style);
    const std::size_t head = digits.find_first_of("0123456789abcdefABCDEF");
    const auto length = static_cast<std::int64_t>(digits.size() - head);
    if (spec.precision > length) {
      digits.insert(head, static_cast<std::size_t>(spec.precision - length), '0');
    }
    Pad(digits, spec);
  }

  static std::string_view Truncated(std::string_view text, std::int64_t precision) {
    return precision < 0
               ? text
               : text.substr(0, unicode::OffsetOf(text, static_cast<std::size_t>(precision)));
  }

  void Pad(std::string_view text, const PercentSpec& spec) {
    const bool zero = spec.zero && !spec.left;
    AppendPadded(text, spec.width, zero ? "0" : " ", spec.left ? '<' : zero ? '=' : '>', out_);
  }

  Renderer& renderer_;
  std::string_view format_;
  bool is_markup_;
  const Value& values_;
  TextBuilder& out_;
  std::size_t next_ = 0;
  bool used_mapping_ = false;
};

}  // namespace

std::int64_t ReadCount(std::string_view text, std::size_t* position) {
  std::int64_t value = -1;
  while (*position < text.size() && IsDigit(text[*position])) {
    if (value < 0) value = 0;
    value = value * 10 + (text[*position] - '0');
    if (value > INT32_MAX) Raise(FailureKind::kValue, "Too many decimal digits in format string");
    ++*position;
  }
  return value;
}

std::string FormatNumber(const Value& number, const NumberStyle& style) {
  const bool is_integer = std::string_view("dboxX").find(style.type) != std::string_view::npos;
  std::string digits;
  bool negative = false;
  if (is_integer) {
    const std::int64_t value = number.AsInt();
    negative = value < 0;
    const std::uint64_t magnitude =
        negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    if (style.alternate && style.type != 'd') digits = std::string("0") + style.type;
    digits += IntegerDigits(magnitude, style.type);
  } else {
    const double value = number.AsNumber();
    negative = std::signbit(value) && !std::isnan(value);
    digits = FloatDigits(std::fabs(value), style.type, style.precision, style.alternate);
  }
  if (negative) return digits.insert(0, 1, '-');
  return style.sign == '-' ? digits : digits.insert(0, 1, style.sign);
}

Value FormatPercent(Renderer& renderer, const Value& format, const Value& values) {
  TextBuilder out(renderer.arena());
  PercentFormatter(renderer, format, values, out).Run();
  return format.IsMarkup() ? Value::Markup(out.Finish()) : Value::String(out.Finish());
}

}  // namespace switchyard::model::jinja
