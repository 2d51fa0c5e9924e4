// The unfinished file of a download: NAME.partial with the bytes so far, and NAME.partial.json with
// what the server said of the whole. Its caller holds the lock on NAME. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/sha256.h"

namespace switchyard::net::internal {

// By what a server tells one version of a file from another; empty where it said nothing.
struct FileVersion {
  std::string url;
  std::string etag;
  std::string last_modified;
  std::optional<std::uint64_t> total_bytes;
};

class PartialFile {
 public:
  // Opens or creates; reads and hashes what an earlier run left.
  static base::Result<PartialFile> Open(const std::filesystem::path& destination);

  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&& other) = delete;
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile();

  std::uint64_t size_bytes() const { return size_bytes_; }
  const FileVersion& version() const { return version_; }

  // Drops all bytes, and remembers the version that the coming ones belong to.
  base::Status Restart(FileVersion version);
  base::Status Append(std::span<const std::byte> bytes);
  // Of all bytes so far; call once, when whole.
  std::string Sha256() { return hash_.HexDigest(); }
  // Flushes to the disk and renames to the destination.
  base::Status Commit();
  // Removes both files; the object is spent.
  void Discard();

 private:
  PartialFile(std::filesystem::path destination, int fd);

  base::Status HashWhatIsThere();
  void ReadVersion();

  std::filesystem::path destination_;
  std::filesystem::path path_;
  std::filesystem::path version_path_;
  int fd_ = -1;
  std::uint64_t size_bytes_ = 0;
  FileVersion version_;
  base::Sha256 hash_;
};

}  // namespace switchyard::net::internal
