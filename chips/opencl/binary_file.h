// A compiled program in a file, with a checksum: a file that was cut, or changed, is no program.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::opencl {

// 32 hexadecimal digits, the same on every machine (FNV-1a twice; not against malice).
std::string HashText(std::string_view text);

// `key` says what the binary was made from; a file of another key does not check.
base::Status WriteBinary(const std::filesystem::path& path, std::string_view key,
                         std::string_view binary);
// kNotFound where there is no file, kDataLoss where it does not check.
base::Result<std::string> ReadBinary(const std::filesystem::path& path, std::string_view key);

// A whole file of at most `limit` bytes.
base::Result<std::string> ReadWhole(const std::filesystem::path& path, std::uint64_t limit);

}  // namespace switchyard::opencl
