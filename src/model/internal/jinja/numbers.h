// Python's reading, printing and arithmetic of numbers. Integers are 64-bit; what Python would grow
// beyond that fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::optional<std::int64_t> ParseInt(std::string_view text, int base);  // int(text, base)
std::optional<double> ParseFloat(std::string_view text);                // float(text)
std::string FloatRepr(double value);                                    // repr(value)

enum class ArithmeticOp { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };

std::string_view Symbol(ArithmeticOp op);

// Both operands are numbers; bool counts as int.
Value ComputeNumbers(ArithmeticOp op, const Value& left, const Value& right);
Value Negate(const Value& number);
Value Absolute(const Value& number);

// round(value, digits), half to even on the exact binary value.
double RoundHalfEven(double value, std::int64_t digits);
// int(value) of a float; fails on what isn't finite or doesn't fit.
std::int64_t TruncateToInt(double value);

}  // namespace switchyard::model::jinja
