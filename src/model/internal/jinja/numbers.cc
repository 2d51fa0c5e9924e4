#include "model/internal/jinja/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "model/internal/jinja/failure.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

[[noreturn]] void FailOverflow() {
  Raise(FailureKind::kValue, "an integer beyond 64 bits is not supported");
}

[[noreturn]] void FailZeroDivision(const char* what) { Raise(FailureKind::kValue, "{}", what); }

int DigitValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 36;
}

// Removes Python's digit separators: single underscores between digits.
std::optional<std::string> WithoutUnderscores(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] != '_') {
      out.push_back(digits[i]);
      continue;
    }
    const auto is_digit = [&](std::size_t k) {
      return k < digits.size() && DigitValue(digits[k]) < 36;
    };
    if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) return std::nullopt;
  }
  return out;
}

// As Python's int and float begin: decimal digits of any script become ASCII's, and what else isn't
// ASCII becomes a character that no number has.
std::string WithAsciiDigits(std::string_view text) {
  std::string ascii;
  ascii.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char32_t point = unicode::DecodeNext(text, &i);
    const int digit = unicode::DecimalValue(point);
    if (point < 0x80) {
      ascii.push_back(static_cast<char>(point));
    } else if (digit >= 0) {
      ascii.push_back(static_cast<char>('0' + digit));
    } else {
      ascii.push_back(unicode::IsSpace(point) ? ' ' : '?');
    }
  }
  return ascii;
}

// Not str.strip: the separators U+001C to U+001F stay.
std::string_view WithoutOuterSpace(std::string_view ascii) {
  constexpr std::string_view kSpaces = " \t\n\v\f\r";
  const std::size_t begin = ascii.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return ascii.substr(begin, ascii.find_last_not_of(kSpaces) + 1 - begin);
}

std::int64_t PowerOfInts(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (true) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) FailOverflow();
    exponent >>= 1;
    if (exponent == 0) return result;
    if (__builtin_mul_overflow(base, base, &base)) FailOverflow();
  }
}

Value ComputeInts(ArithmeticOp op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflows = false;
  switch (op) {
    case ArithmeticOp::kAdd:
      overflows = __builtin_add_overflow(a, b, &result);
      break;
    case ArithmeticOp::kSubtract:
      overflows = __builtin_sub_overflow(a, b, &result);
      break;
    case ArithmeticOp::kMultiply:
      overflows = __builtin_mul_overflow(a, b, &result);
      break;
    case ArithmeticOp::kDivide:
      if (b == 0) FailZeroDivision("division by zero");
      return Value::Float(
          static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b)));
    case ArithmeticOp::kFloorDivide:
    case ArithmeticOp::kModulo: {
      if (b == 0) FailZeroDivision("integer division or modulo by zero");
      if (b == -1) {  // the one quotient that may not fit
        if (op == ArithmeticOp::kModulo) return Value::Int(0);
        overflows = __builtin_sub_overflow(std::int64_t{0}, a, &result);
        break;
      }
      std::int64_t quotient = a / b;
      std::int64_t remainder = a % b;
      if (remainder != 0 && (remainder < 0) != (b < 0)) {
        --quotient;
        remainder += b;
      }
      return Value::Int(op == ArithmeticOp::kModulo ? remainder : quotient);
    }
    case ArithmeticOp::kPower:
      if (b < 0) {
        if (a == 0) FailZeroDivision("0.0 cannot be raised to a negative power");
        return Value::Float(std::pow(static_cast<double>(a), static_cast<double>(b)));
      }
      return Value::Int(PowerOfInts(a, b));
  }
  if (overflows) FailOverflow();
  return Value::Int(result);
}

double FloatModulo(double a, double b) {
  double remainder = std::fmod(a, b);
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) remainder += b;
  } else {
    remainder = std::copysign(0.0, b);
  }
  return remainder;
}

double FloatFloorDivide(double a, double b) {
  const double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0 && (b < 0) != (remainder < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Value ComputeFloats(ArithmeticOp op, double a, double b) {
  switch (op) {
    case ArithmeticOp::kAdd:
      return Value::Float(a + b);
    case ArithmeticOp::kSubtract:
      return Value::Float(a - b);
    case ArithmeticOp::kMultiply:
      return Value::Float(a * b);
    case ArithmeticOp::kDivide:
      if (b == 0) FailZeroDivision("float division by zero");
      return Value::Float(a / b);
    case ArithmeticOp::kFloorDivide:
      if (b == 0) FailZeroDivision("float floor division by zero");
      return Value::Float(FloatFloorDivide(a, b));
    case ArithmeticOp::kModulo:
      if (b == 0) FailZeroDivision("float modulo");
      return Value::Float(FloatModulo(a, b));
    case ArithmeticOp::kPower: {
      if (a == 0 && b < 0) FailZeroDivision("0.0 cannot be raised to a negative power");
      if (a < 0 && std::isfinite(b) && b != std::floor(b)) {
        Raise(FailureKind::kValue, "a negative number to a fractional power is complex");
      }
      const double power = std::pow(a, b);
      if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) {
        Raise(FailureKind::kValue, "(34, 'Numerical result out of range')");
      }
      return Value::Float(power);
    }
  }
  return Value::Float(0);
}

}  // namespace

std::optional<std::int64_t> ParseInt(std::string_view text, int base) {
  const std::string ascii = WithAsciiDigits(text);
  std::string_view rest = WithoutOuterSpace(ascii);
  bool negative = false;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  if (rest.size() > 2 && rest[0] == '0') {
    const char mark = static_cast<char>(rest[1] | 0x20);
    const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0 && (base == marked || base == 0)) {
      base = marked;
      rest.remove_prefix(rest[2] == '_' ? 3 : 2);
    }
  }
  if (base == 0) {
    base = 10;
    const bool is_zero = rest.find_first_not_of("0_") == std::string_view::npos;
    if (rest.size() > 1 && rest[0] == '0' && !is_zero) return std::nullopt;
  }
  if (base < 2 || base > 36) {
    Raise(FailureKind::kValue, "int() base must be >= 2 and <= 36, or 0");
  }
  const auto digits = WithoutUnderscores(rest);
  if (!digits || digits->empty()) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : *digits) {
    const int digit = DigitValue(c);
    if (digit >= base) return std::nullopt;
  }
  for (const char c : *digits) {
    const int digit = DigitValue(c);
    if (__builtin_mul_overflow(value, std::int64_t{base}, &value) ||
        __builtin_sub_overflow(value, std::int64_t{digit}, &value)) {
      FailOverflow();
    }
  }
  if (!negative && __builtin_sub_overflow(std::int64_t{0}, value, &value)) FailOverflow();
  return value;
}

std::optional<double> ParseFloat(std::string_view text) {
  const std::string ascii = WithAsciiDigits(text);
  std::string_view rest = WithoutOuterSpace(ascii);
  bool negative = false;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  const double sign = negative ? -1.0 : 1.0;
  if (rest.size() <= 8) {
    std::string lower(rest);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (lower == "inf" || lower == "infinity") {
      return sign * std::numeric_limits<double>::infinity();
    }
    if (lower == "nan") return std::numeric_limits<double>::quiet_NaN();
  }
  auto digits = WithoutUnderscores(rest);
  if (!digits || digits->empty() || (DigitValue((*digits)[0]) > 9 && (*digits)[0] != '.')) {
    return std::nullopt;
  }
  double value = 0;
  const char* end = digits->data() + digits->size();
  const auto [stop, error] = std::from_chars(digits->data(), end, value);
  if (stop != end) return std::nullopt;
  if (error == std::errc::result_out_of_range) {  // Python rounds to 0 or infinity
    const std::size_t e = digits->find_first_of("eE");
    const bool tiny = e != std::string::npos && e + 1 < digits->size() && (*digits)[e + 1] == '-';
    value = tiny ? 0 : std::numeric_limits<double>::infinity();
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return sign * value;
}

std::string FloatRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  // The shortest digits that read back as `value`, then Python's layout (PEP 3101, repr style).
  std::array<char, 64> buffer;
  const auto scientific = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                        std::chars_format::scientific);
  const std::string_view shortest(buffer.data(),
                                  static_cast<std::size_t>(scientific.ptr - buffer.data()));
  const std::size_t e = shortest.find('e');
  int exponent = 0;
  const char* exponent_start = shortest.data() + e + 1;
  if (*exponent_start == '+') ++exponent_start;
  std::from_chars(exponent_start, shortest.data() + shortest.size(), exponent);
  std::string digits;
  for (const char c : shortest.substr(0, e)) {
    if (c >= '0' && c <= '9') digits.push_back(c);
  }
  const std::string_view sign = std::signbit(value) ? "-" : "";
  const std::string_view all = digits;
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    return fmt::format("{}{}{}{}e{}{:02d}", sign, all.substr(0, 1), count > 1 ? "." : "",
                       all.substr(1), exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return fmt::format("{}0.{:0>{}}", sign, all, count - exponent - 1);
  if (count <= exponent + 1) return fmt::format("{}{:0<{}}.0", sign, all, exponent + 1);
  const auto point = static_cast<std::size_t>(exponent + 1);
  return fmt::format("{}{}.{}", sign, all.substr(0, point), all.substr(point));
}

std::string_view Symbol(ArithmeticOp op) {
  constexpr std::array<std::string_view, 7> kSymbols = {"+", "-", "*", "/", "//", "%", "**"};
  return kSymbols[static_cast<std::size_t>(op)];
}

Value ComputeNumbers(ArithmeticOp op, const Value& left, const Value& right) {
  if (left.IsIntegral() && right.IsIntegral()) {
    return ComputeInts(op, left.AsInt(), right.AsInt());
  }
  return ComputeFloats(op, left.AsNumber(), right.AsNumber());
}

Value Negate(const Value& number) {
  if (number.Is(Kind::kFloat)) return Value::Float(-number.AsFloat());
  return ComputeInts(ArithmeticOp::kSubtract, 0, number.AsInt());
}

Value Absolute(const Value& number) {
  if (number.Is(Kind::kFloat)) return Value::Float(std::fabs(number.AsFloat()));
  return number.AsInt() < 0 ? Negate(number) : Value::Int(number.AsInt());
}

double RoundHalfEven(double value, std::int64_t digits) {
  if (!std::isfinite(value) || value == 0 || digits > 323) return value;
  if (digits < -308) return std::copysign(0.0, value);
  if (digits >= 0) {  // printf rounds the exact binary value half to even
    std::array<char, 700> buffer;
    const int length =
        std::snprintf(buffer.data(), buffer.size(), "%.*f", static_cast<int>(digits), value);
    double rounded = value;
    std::from_chars(buffer.data(), buffer.data() + length, rounded);
    return rounded;
  }
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  const double scaled = value / scale;
  const double rounded = std::nearbyint(scaled);
  return rounded == 0 ? std::copysign(0.0, value) : rounded * scale;
}

std::int64_t TruncateToInt(double value) {
  if (std::isnan(value)) Raise(FailureKind::kValue, "cannot convert float NaN to integer");
  if (std::isinf(value)) Raise(FailureKind::kValue, "cannot convert float infinity to integer");
  if (value >= 0x1p63 || value < -0x1p63) FailOverflow();
  return static_cast<std::int64_t>(value);
}

}  // namespace switchyard::model::jinja
