// The values of JSON Schema's keyword `format` that are enforced, as regular expressions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::grammar::internal {

// None for a format that is not known.
std::optional<std::string> FormatRegex(std::string_view format);
// All that are, for errors.
std::string FormatNames();

}  // namespace switchyard::grammar::internal
