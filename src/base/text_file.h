// A text file in one piece, for what is small: keys, configurations.
#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>

namespace switchyard::base {

// The first `most` bytes of it, a bound against a path that names something else. Nothing where it
// cannot be read: what to say of that is the caller's. A file that is just being written may be
// empty: who would take that for "nothing is set" has to ask.
std::optional<std::string> ReadTextFile(const std::filesystem::path& path,
                                        std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace switchyard::base
