// A text file in one piece, for what is small: keys, configurations.
#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::base {

// The first `most` bytes of it, a bound against a path that names something else. Nothing where it
// cannot be read: what to say of that is the caller's. A file that is just being written may be
// empty: who would take that for "nothing is set" has to ask.
std::optional<std::string> ReadTextFile(const std::filesystem::path& path,
                                        std::size_t most = std::numeric_limits<std::size_t>::max());

// Whole or not at all: who reads the file meanwhile, also after a crash, finds what was there
// before or all of `text`. Several may write the same file; the last one's stays. kUnavailable says
// why it could not be written.
Status WriteTextFile(const std::filesystem::path& path, std::string_view text);

}  // namespace switchyard::base
