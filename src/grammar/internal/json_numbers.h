// Decimal numbers between bounds, as expressions. Pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "grammar/grammar.h"

namespace switchyard::grammar::internal {

// Integers from `min` to `max`, both included; an absent bound means up to 18 digits.
ExprId IntegerBetween(Grammar& grammar, std::optional<std::int64_t> min,
                      std::optional<std::int64_t> max);

struct NumberBound {
  std::int64_t value = 0;
  bool is_excluded = false;
};

// How large a bound may be, so that no number near it is rounded beyond it.
inline constexpr std::int64_t kMostNumberBound = 1'000'000'000;

// Decimal numbers between `min` and `max`, with up to six digits behind the point and no exponent.
ExprId NumberBetween(Grammar& grammar, std::optional<NumberBound> min,
                     std::optional<NumberBound> max);

}  // namespace switchyard::grammar::internal
