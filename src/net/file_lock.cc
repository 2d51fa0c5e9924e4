#include "net/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace switchyard::net {
namespace {

int LockWithoutInterruption(int fd, int operation) {
  int result = 0;
  while ((result = ::flock(fd, operation)) != 0 && errno == EINTR) {
  }
  return result;
}

// A holder removes the file as it lets go, so the file that was locked may no longer be the one at
// the path.
bool IsFileAtPath(int fd, const std::filesystem::path& path) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

base::Result<FileLock> FileLock::Acquire(const std::filesystem::path& path,
                                         const std::function<void()>& on_wait) {
  bool waited = false;
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
      return base::Fail(base::ErrorCode::kPermissionDenied, "cannot create the lock file '{}': {}",
                        path.string(), std::strerror(errno));
    }
    if (LockWithoutInterruption(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) {
        if (!waited && on_wait) on_wait();
        waited = true;
      }
      if (errno != EWOULDBLOCK || LockWithoutInterruption(fd, LOCK_EX) != 0) {
        const int error = errno;
        ::close(fd);
        return base::Fail(base::ErrorCode::kUnavailable,
                          "cannot lock '{}': {}; the cache folder must lie on a file system with "
                          "file locks",
                          path.string(), std::strerror(error));
      }
    }
    if (IsFileAtPath(fd, path)) return FileLock(path, fd, waited);
    ::close(fd);
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), waited_(other.waited_) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(waited_, other.waited_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());
  ::close(fd_);
}

}  // namespace switchyard::net
