// Filters on numbers and single values.
#include <cmath>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/filters.h"
#include "model/internal/jinja/numbers.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

Value Abs(Renderer&, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("abs", arguments);
  if (!input.IsNumber()) {
    Raise(FailureKind::kType, "bad operand type for abs(): '{}'", TypeName(input));
  }
  return Absolute(input);
}

Value Default(Renderer&, const Value& input, const Arguments& arguments) {
  const auto [otherwise, boolean] = Bind("default", arguments, {"default_value", "boolean"});
  const bool replaces = input.Is(Kind::kUndefined) || (IsTrue(boolean) && !IsTrue(input));
  if (!replaces) return input;
  return otherwise.Is(Kind::kMissing) ? Value::String("") : otherwise;
}

Value ToInteger(Renderer&, const Value& input, const Arguments& arguments) {
  const auto [otherwise, base] = Bind("int", arguments, {"default", "base"});
  const Value fallback = otherwise.Is(Kind::kMissing) ? Value::Int(0) : otherwise;
  if (input.Is(Kind::kUndefined)) input.FailUndefined();
  if (input.IsIntegral()) return Value::Int(input.AsInt());
  if (input.Is(Kind::kFloat)) {
    return std::isnan(input.AsFloat()) ? fallback : Value::Int(TruncateToInt(input.AsFloat()));
  }
  if (!input.Is(Kind::kString)) return fallback;
  const std::int64_t radix = base.Is(Kind::kMissing) ? 10 : ToInt(base, "int's base");
  const bool valid = radix == 0 || (radix >= 2 && radix <= 36);
  if (valid) {
    const auto parsed = ParseInt(input.AsString(), static_cast<int>(radix));
    if (parsed) return Value::Int(*parsed);
  }
  const auto real = ParseFloat(input.AsString());  // so that "42.9" gives 42
  return real && std::isfinite(*real) ? Value::Int(TruncateToInt(*real)) : fallback;
}

Value ToFloat(Renderer&, const Value& input, const Arguments& arguments) {
  const auto [otherwise] = Bind("float", arguments, {"default"});
  const Value fallback = otherwise.Is(Kind::kMissing) ? Value::Float(0) : otherwise;
  if (input.Is(Kind::kUndefined)) input.FailUndefined();
  if (input.IsNumber()) return Value::Float(input.AsNumber());
  if (!input.Is(Kind::kString)) return fallback;
  const auto parsed = ParseFloat(input.AsString());
  return parsed ? Value::Float(*parsed) : fallback;
}

// round(10 ** precision) of an integer, with Python's int result.
Value RoundInteger(const Value& input, std::int64_t precision) {
  if (precision >= 0) return Value::Int(input.AsInt());
  if (precision < -18) return Value::Int(0);
  std::int64_t unit = 1;
  for (std::int64_t i = precision; i < 0; ++i) unit *= 10;
  const std::int64_t value = input.AsInt();
  const std::int64_t remainder = ((value % unit) + unit) % unit;
  const Value down = ComputeNumbers(ArithmeticOp::kSubtract, input, Value::Int(remainder));
  const std::int64_t half = unit / 2;
  const bool even = (down.AsInt() / unit) % 2 == 0;
  if (remainder < half || (remainder == half && even)) return down;
  return ComputeNumbers(ArithmeticOp::kAdd, down, Value::Int(unit));
}

Value Round(Renderer&, const Value& input, const Arguments& arguments) {
  const auto [precision_value, method_value] = Bind("round", arguments, {"precision", "method"});
  const std::int64_t precision =
      precision_value.Is(Kind::kMissing) ? 0 : ToInt(precision_value, "round's precision");
  const std::string_view method = method_value.Is(Kind::kMissing)
                                      ? std::string_view("common")
                                      : ToString(method_value, "round's method");
  if (method != "common" && method != "ceil" && method != "floor") {
    Raise(FailureKind::kRuntime, "method must be common, ceil or floor");
  }
  if (input.Is(Kind::kUndefined)) input.FailUndefined();
  if (!input.IsNumber()) {
    Raise(FailureKind::kType, "type {} doesn't define __round__ method", TypeName(input));
  }
  if (method == "common") {
    if (input.IsIntegral()) return RoundInteger(input, precision);
    return Value::Float(RoundHalfEven(input.AsFloat(), precision));
  }
  const Value scale = ComputeNumbers(ArithmeticOp::kPower, Value::Int(10), Value::Int(precision));
  const double scaled = ComputeNumbers(ArithmeticOp::kMultiply, input, scale).AsNumber();
  const Value whole =
      Value::Int(TruncateToInt(method == "ceil" ? std::ceil(scaled) : std::floor(scaled)));
  return ComputeNumbers(ArithmeticOp::kDivide, whole, scale);
}

Value Length(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("length", arguments);
  return Value::Int(static_cast<std::int64_t>(LengthOf(renderer, input)));
}

Value WordCount(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("wordcount", arguments);
  const std::string_view text = ToText(renderer.arena(), input);
  std::int64_t words = 0;
  bool in_word = false;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = unicode::DecodeNext(text, &i);
    const bool is_word = c == '_' || unicode::IsAlphanumeric(c);
    if (is_word && !in_word) ++words;
    in_word = is_word;
  }
  return Value::Int(words);
}

Value Attr(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [name_value] = Bind("attr", arguments, {"name"}, 1);
  const std::string_view name = ToString(name_value, "attr's name");
  // Attributes only: a dict's keys are not among them.
  if (input.Is(Kind::kDict)) {
    const Value method =
        renderer.GetItem(Value::Of(renderer.arena().New<Dict>(renderer.arena())), name_value);
    if (!method.Is(Kind::kUndefined)) return renderer.GetAttribute(input, name);
    return method;
  }
  return renderer.GetAttribute(input, name);
}

constexpr FilterEntry kNumberFilters[] = {
    {"abs", Abs},         {"attr", Attr},           {"count", Length},  {"d", Default},
    {"default", Default}, {"float", ToFloat},       {"int", ToInteger}, {"length", Length},
    {"round", Round},     {"wordcount", WordCount},
};

}  // namespace

std::span<const FilterEntry> NumberFilters() { return kNumberFilters; }

}  // namespace switchyard::model::jinja
