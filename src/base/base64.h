// Base64 as RFC 4648 section 4 has it: with padding, on one line.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::base {

std::string ToBase64(std::string_view bytes);
// kInvalidArgument for all but what ToBase64 gives.
Result<std::string> FromBase64(std::string_view text);

}  // namespace switchyard::base
