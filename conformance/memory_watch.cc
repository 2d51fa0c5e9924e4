#include "conformance/memory_watch.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace switchyard::conformance {
namespace {

using base::ErrorCode;
using base::Fail;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif
#else
constexpr bool kIsSanitized = false;
#endif

bool SharesTheMachinesMemory(const Session& session) {
  const auto machine = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return session.has(SY_DEVICE_HOST_MEMORY) || session.properties().memory_bytes == machine;
}

// The second number of /proc/self/statm, in pages, as proc(5) says.
base::Result<std::int64_t> ResidentBytes() {
  ::malloc_trim(0);
  std::ifstream file("/proc/self/statm");
  std::int64_t all = 0;
  std::int64_t resident = 0;
  if (file >> all >> resident) return resident * ::sysconf(_SC_PAGESIZE);
  return Fail(ErrorCode::kUnimplemented, "/proc/self/statm cannot be read");
}

}  // namespace

base::Result<std::int64_t> MemoryWatch::HeldBytes() const {
  if (SharesTheMachinesMemory(*session_)) return ResidentBytes();
  std::uint64_t available = 0;
  SWITCHYARD_RETURN_IF_ERROR(session_->Check(
      session_->api().memory_available(session_->device(), &available), "memory_available"));
  return -static_cast<std::int64_t>(available);
}

base::Result<MemoryWatch> MemoryWatch::Begin(const Session& session) {
  MemoryWatch watch(session);
  SWITCHYARD_TRY(watch.at_first_, watch.HeldBytes());
  return watch;
}

base::Result<std::int64_t> MemoryWatch::LostBytes() const {
  if (kIsSanitized) {
    return Fail(ErrorCode::kUnimplemented, "a sanitizer keeps memory that was freed");
  }
  SWITCHYARD_TRY(const std::int64_t held, HeldBytes());
  return held - at_first_;
}

}  // namespace switchyard::conformance
