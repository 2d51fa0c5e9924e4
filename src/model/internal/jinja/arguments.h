// Python's rules for matching a call's arguments to a function's parameters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

// Fills `values`, one for each of `names`; kMissing where not given. The first `required` must be.
void BindArguments(std::string_view function, const Arguments& arguments,
                   std::span<const std::string_view> names, std::size_t required,
                   std::span<Value> values);

template <std::size_t N>
std::array<Value, N> Bind(std::string_view function, const Arguments& arguments,
                          const std::string_view (&names)[N], std::size_t required = 0) {
  std::array<Value, N> values;
  BindArguments(function, arguments, names, required, values);
  return values;
}

void ExpectNoArguments(std::string_view function, const Arguments& arguments);

// A parameter's value as the type that it asks for; fails on others. `what` names the parameter.
bool IsGiven(const Value& value);  // neither kMissing nor none
std::int64_t ToInt(const Value& value, std::string_view what);
std::string_view ToString(const Value& value, std::string_view what);

}  // namespace switchyard::model::jinja
