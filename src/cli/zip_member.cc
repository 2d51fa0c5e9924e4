#include "cli/zip_member.h"

#include <fcntl.h>
#include <unistd.h>
#include <zip.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/sha256.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Status;

namespace fs = std::filesystem;

struct ZipFree {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

// A file that is removed unless it is kept.
class UnpackingFile {
 public:
  explicit UnpackingFile(const fs::path& destination)
      : path_(destination.string() + ".unpacking"),
        fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)) {}
  UnpackingFile(const UnpackingFile&) = delete;
  UnpackingFile& operator=(const UnpackingFile&) = delete;
  ~UnpackingFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!kept_) ::unlink(path_.c_str());
  }

  bool Opened() const { return fd_ >= 0; }

  bool Write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }

  bool KeepAs(const fs::path& destination) {
    kept_ = ::fsync(fd_) == 0 && ::rename(path_.c_str(), destination.c_str()) == 0;
    return kept_;
  }

 private:
  std::string path_;
  int fd_;
  bool kept_ = false;
};

std::string TextOfZipError(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text(zip_error_strerror(&error));
  zip_error_fini(&error);
  return text;
}

}  // namespace

Status ExtractZipMember(const fs::path& archive_path, const std::string& member,
                        const fs::path& destination, std::uint64_t expected_bytes,
                        const std::string& expected_sha256) {
  int code = 0;
  const std::unique_ptr<zip_t, ZipFree> archive(zip_open(archive_path.c_str(), ZIP_RDONLY, &code));
  if (!archive) {
    return Fail(ErrorCode::kDataLoss, "cannot read the archive '{}': {}", archive_path.string(),
                TextOfZipError(code));
  }
  zip_stat_t stat;
  zip_stat_init(&stat);
  const zip_int64_t index = zip_name_locate(archive.get(), member.c_str(), 0);
  if (index < 0 || zip_stat_index(archive.get(), static_cast<zip_uint64_t>(index), 0, &stat) != 0) {
    return Fail(ErrorCode::kNotFound, "the archive '{}' holds no '{}'", archive_path.string(),
                member);
  }
  if ((stat.valid & ZIP_STAT_SIZE) == 0 || stat.size != expected_bytes) {
    return Fail(ErrorCode::kDataLoss, "'{}' in '{}' holds {} bytes where {} are expected", member,
                archive_path.string(), stat.size, expected_bytes);
  }
  const std::unique_ptr<zip_file_t, ZipFree> input(
      zip_fopen_index(archive.get(), static_cast<zip_uint64_t>(index), 0));
  if (!input) {
    return Fail(ErrorCode::kDataLoss, "cannot read '{}' in '{}': {}", member, archive_path.string(),
                zip_strerror(archive.get()));
  }
  UnpackingFile output(destination);
  if (!output.Opened()) {
    return Fail(ErrorCode::kPermissionDenied, "cannot write beside '{}': {}", destination.string(),
                std::strerror(errno));
  }
  base::Sha256 hash;
  std::vector<std::byte> block(std::size_t{1} << 20);
  std::uint64_t received = 0;
  while (true) {
    const zip_int64_t count = zip_fread(input.get(), block.data(), block.size());
    if (count < 0) {
      return Fail(ErrorCode::kDataLoss, "'{}' in '{}' is damaged: {}", member,
                  archive_path.string(), zip_file_strerror(input.get()));
    }
    if (count == 0) break;
    const auto bytes = std::span(block).first(static_cast<std::size_t>(count));
    received += bytes.size();
    // The size in the archive's directory is only a claim.
    if (received > expected_bytes) break;
    hash.Update(bytes);
    if (!output.Write(bytes)) {
      return Fail(ErrorCode::kResourceExhausted, "cannot write beside '{}': {}",
                  destination.string(), std::strerror(errno));
    }
  }
  const std::string sha256 = hash.HexDigest();
  if (received != expected_bytes || sha256 != expected_sha256) {
    return Fail(ErrorCode::kDataLoss,
                "'{}' in '{}' has the sha256 {} where {} is expected; it was not kept", member,
                archive_path.string(), sha256, expected_sha256);
  }
  if (!output.KeepAs(destination)) {
    return Fail(ErrorCode::kUnavailable, "cannot write '{}': {}", destination.string(),
                std::strerror(errno));
  }
  return {};
}

}  // namespace switchyard::cli
