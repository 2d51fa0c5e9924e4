// A text file as a whole, for what is small: keys, configurations.
#pragma once

#include <optional>
#include <string>

namespace switchyard::base {

// Nothing where it cannot be read or holds nothing: what to say of that is the caller's.
std::optional<std::string> ReadTextFile(const std::string& path);

}  // namespace switchyard::base
