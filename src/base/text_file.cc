#include "base/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/random_bits.h"

namespace switchyard::base {
namespace {

// 0, or an errno.
int WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

// As WriteAll, into a file that is not there yet.
int WriteNew(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return errno;
  const int problem = WriteAll(fd, text);
  const bool is_closed = ::close(fd) == 0;
  return problem != 0 || is_closed ? problem : errno;
}

}  // namespace

std::optional<std::string> ReadTextFile(const std::filesystem::path& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text;
  std::array<char, 16384> piece;
  while (file && text.size() < most) {
    file.read(piece.data(),
              static_cast<std::streamsize>(std::min(piece.size(), most - text.size())));
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  // A folder opens and then cannot be read.
  if (file.bad()) return std::nullopt;
  return text;
}

Status WriteTextFile(const std::filesystem::path& path, std::string_view text) {
  const std::string aside = fmt::format("{}.{:016x}.part", path.string(), RandomBits());
  int problem = WriteNew(aside, text);
  if (problem == 0 && std::rename(aside.c_str(), path.c_str()) != 0) problem = errno;
  if (problem == 0) return {};
  if (problem != EEXIST) ::unlink(aside.c_str());
  return Fail(ErrorCode::kUnavailable, "cannot write '{}': {}", path.string(),
              std::strerror(problem));
}

}  // namespace switchyard::base
