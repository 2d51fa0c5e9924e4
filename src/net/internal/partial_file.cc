#include "net/internal/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/text_file.h"

namespace switchyard::net::internal {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Status;

constexpr std::size_t kMaxVersionText = 16 * 1024;

std::string TextOf(const base::Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Status WriteFailure(const std::filesystem::path& path, int error) {
  if (error == ENOSPC || error == EDQUOT) {
    return Fail(ErrorCode::kResourceExhausted,
                "the disk is full while writing '{}'; make room and run this again, it goes on "
                "where it stopped",
                path.string());
  }
  return Fail(ErrorCode::kUnavailable, "cannot write '{}': {}", path.string(),
              std::strerror(error));
}

}  // namespace

PartialFile::PartialFile(std::filesystem::path destination, int fd)
    : destination_(std::move(destination)),
      path_(destination_.string() + ".partial"),
      version_path_(destination_.string() + ".partial.json"),
      fd_(fd) {}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : destination_(std::move(other.destination_)),
      path_(std::move(other.path_)),
      version_path_(std::move(other.version_path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_bytes_(other.size_bytes_),
      version_(std::move(other.version_)),
      hash_(std::move(other.hash_)) {}

PartialFile::~PartialFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<PartialFile> PartialFile::Open(const std::filesystem::path& destination) {
  const std::string path = destination.string() + ".partial";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) {
    return Fail(ErrorCode::kPermissionDenied, "cannot create '{}': {}", path, std::strerror(errno));
  }
  PartialFile file(destination, fd);
  SWITCHYARD_RETURN_IF_ERROR(file.HashWhatIsThere());
  if (file.size_bytes_ > 0) file.ReadVersion();
  return file;
}

Status PartialFile::HashWhatIsThere() {
  std::vector<std::byte> block(std::size_t{1} << 20);
  while (true) {
    const ssize_t count = ::read(fd_, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Fail(ErrorCode::kUnavailable, "cannot read '{}': {}", path_.string(),
                  std::strerror(errno));
    }
    if (count == 0) return {};
    hash_.Update(std::span(block).first(static_cast<std::size_t>(count)));
    size_bytes_ += static_cast<std::uint64_t>(count);
  }
}

// Whatever is wrong with this small file, the cure is the same: nothing is known, start anew.
void PartialFile::ReadVersion() {
  const std::string text = base::ReadTextFile(version_path_, kMaxVersionText).value_or("");
  const auto json = base::ParseJson(text, version_path_.string());
  if (!json || !json->is_object()) return;
  version_.url = TextOf(*json, "url");
  version_.etag = TextOf(*json, "etag");
  version_.last_modified = TextOf(*json, "last_modified");
  const auto total = json->find("total_bytes");
  if (total != json->end() && total->is_number_unsigned()) {
    version_.total_bytes = total->get<std::uint64_t>();
  }
}

Status PartialFile::Restart(FileVersion version) {
  if (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) != 0) {
    return WriteFailure(path_, errno);
  }
  size_bytes_ = 0;
  hash_ = base::Sha256();
  version_ = std::move(version);
  base::Json json = {
      {"url", version_.url}, {"etag", version_.etag}, {"last_modified", version_.last_modified}};
  if (version_.total_bytes) json["total_bytes"] = *version_.total_bytes;
  std::ofstream stream(version_path_, std::ios::binary | std::ios::trunc);
  // A header may hold any byte; the replacement can only make the validator fail to match.
  stream << json.dump(2, ' ', false, base::Json::error_handler_t::replace) << '\n';
  stream.close();
  if (!stream) return WriteFailure(version_path_, errno);
  return {};
}

Status PartialFile::Append(std::span<const std::byte> bytes) {
  std::span<const std::byte> rest = bytes;
  while (!rest.empty()) {
    const ssize_t count = ::write(fd_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return WriteFailure(path_, errno);
    const auto written = rest.first(static_cast<std::size_t>(count));
    hash_.Update(written);
    size_bytes_ += written.size();
    rest = rest.subspan(written.size());
  }
  return {};
}

Status PartialFile::Commit() {
  if (::fsync(fd_) != 0) return WriteFailure(path_, errno);
  std::error_code error;
  std::filesystem::rename(path_, destination_, error);
  if (error) {
    return Fail(ErrorCode::kUnavailable, "cannot rename '{}' to '{}': {}", path_.string(),
                destination_.filename().string(), error.message());
  }
  std::filesystem::remove(version_path_, error);
  return {};
}

void PartialFile::Discard() {
  std::error_code ignored;  // what cannot be removed is started anew by the next run all the same
  std::filesystem::remove(path_, ignored);
  std::filesystem::remove(version_path_, ignored);
}

}  // namespace switchyard::net::internal
