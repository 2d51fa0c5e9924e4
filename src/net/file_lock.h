// A lock between processes, held on a file of its own beside what it guards, by flock(2). The
// kernel frees it when its holder dies, so a crash leaves nothing to clean up. Two locks of one
// process on the same path exclude each other too.
#pragma once

#include <filesystem>
#include <functional>
#include <utility>

#include "base/error.h"

namespace switchyard::net {

class FileLock {
 public:
  // Blocks until the lock is held. `on_wait` (may be null) is called once, before waiting for
  // another holder.
  static base::Result<FileLock> Acquire(const std::filesystem::path& path,
                                        const std::function<void()>& on_wait);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

  // Whether another holder had to be waited for: what the lock guards may have changed meanwhile.
  bool waited() const { return waited_; }

 private:
  FileLock(std::filesystem::path path, int fd, bool waited)
      : path_(std::move(path)), fd_(fd), waited_(waited) {}

  std::filesystem::path path_;
  int fd_ = -1;
  bool waited_ = false;
};

}  // namespace switchyard::net
