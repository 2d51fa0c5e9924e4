#include "binary_file.h"

#include <unistd.h>

#include <atomic>
#include <fstream>

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

base::Status WriteWhole(const std::filesystem::path& path, std::string_view bytes) {
  // Under a name of its own until it is whole, as others may look for it.
  static std::atomic<std::uint64_t> number = 0;
  std::filesystem::path partial = path;
  partial += fmt::format(".{}.{}.part", ::getpid(), number++);
  std::error_code error;
  {
    std::ofstream file(partial, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) {
      std::filesystem::remove(partial, error);
      return Fail(ErrorCode::kInternal, "'{}' cannot be written", partial.string());
    }
  }
  std::filesystem::rename(partial, path, error);
  if (error) {
    std::filesystem::remove(partial, error);
    return Fail(ErrorCode::kInternal, "'{}' cannot be written", path.string());
  }
  return {};
}

base::Status WriteBinary(const std::filesystem::path& path, std::string_view key,
                         std::string_view binary) {
  return WriteWhole(path, Header(key, binary).append(binary));
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
