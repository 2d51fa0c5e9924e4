// TOML from users, parsed without exceptions: bad text ends in a sentence with its line.
#pragma once

#include <toml++/toml.h>

#include <string_view>

#include "base/error.h"

namespace switchyard::base {

// `subject` names the text in errors, such as a file's path.
Result<toml::table> ParseToml(std::string_view text, std::string_view subject);

}  // namespace switchyard::base
