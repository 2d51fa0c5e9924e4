#include "binary_file.h"

#include <fstream>

#include "base/text_file.h"

namespace switchyard::opencl {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::string_view kMark = "switchyard opencl binary 1\n";
constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 20;

std::uint64_t Fnv(std::string_view text, std::uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

std::string Header(std::string_view key, std::string_view binary) {
  return fmt::format("{}{}\n{}\n{}\n", kMark, HashText(key), binary.size(), HashText(binary));
}

}  // namespace

std::string HashText(std::string_view text) {
  return fmt::format("{:016x}{:016x}", Fnv(text, 0xcbf29ce484222325U),
                     Fnv(text, 0x9ae16a3b2f90404fU));
}

base::Result<std::string> ReadWhole(const std::filesystem::path& path, std::uint64_t limit) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) return Fail(ErrorCode::kNotFound, "there is no file '{}'", path.string());
  if (size > limit) {
    return Fail(ErrorCode::kDataLoss, "'{}' has {} bytes; at most {} make sense", path.string(),
                size, limit);
  }
  std::string bytes(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(bytes.data(), static_cast<std::streamsize>(size))) {
    return Fail(ErrorCode::kDataLoss, "'{}' cannot be read", path.string());
  }
  return bytes;
}

base::Status WriteBinary(const std::filesystem::path& path, std::string_view key,
                         std::string_view binary) {
  return base::WriteTextFile(path, Header(key, binary).append(binary));
}

base::Result<std::string> ReadBinary(const std::filesystem::path& path, std::string_view key) {
  SWITCHYARD_TRY(std::string bytes, ReadWhole(path, kMostBytes));
  // The header ends after four lines.
  std::size_t end = 0;
  for (int line = 0; line < 4 && end != std::string::npos; ++line) {
    end = bytes.find('\n', end);
    if (end != std::string::npos) ++end;
  }
  if (end == std::string::npos) {
    return Fail(ErrorCode::kDataLoss, "'{}' is no compiled program", path.string());
  }
  const std::string_view binary = std::string_view(bytes).substr(end);
  if (std::string_view(bytes).substr(0, end) != Header(key, binary)) {
    return Fail(ErrorCode::kDataLoss, "'{}' is not what was written", path.string());
  }
  return std::string(binary);
}

}  // namespace switchyard::opencl
