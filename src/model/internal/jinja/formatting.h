// Python's two ways to format text: the % operator and str.format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

// format % values, where values is a tuple, a dict for %(name)s, or a single value.
Value FormatPercent(Renderer& renderer, const Value& format, const Value& values);

// format.format(…)
Value FormatBraces(Renderer& renderer, const Value& format, const Arguments& arguments);

// One value by a format_spec such as ">10.2f" (PEP 3101).
void FormatBySpec(Renderer& renderer, const Value& value, std::string_view spec, TextBuilder& out);

// What both ways share: a number's digits by presentation type, sign included. `precision` < 0
// takes the default of 6.
struct NumberStyle {
  char type = 'd';
  int precision = -1;
  bool alternate = false;  // #
  char sign = '-';         // '-', '+' or ' '
};
inline constexpr std::int64_t kMaxPrecision = 1000;
// The decimal number at *position, which moves past it; -1 if there is none.
std::int64_t ReadCount(std::string_view text, std::size_t* position);

std::string FormatNumber(const Value& number, const NumberStyle& style);

}  // namespace switchyard::model::jinja
