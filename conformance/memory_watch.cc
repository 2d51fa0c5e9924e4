#include "conformance/memory_watch.h"

#include <malloc.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>

// What a sanitizer's allocator has handed out, of the sanitizers' common interface: it keeps what
// was freed, so that what the process holds tells nothing. In builds without one this is null.
extern "C" [[gnu::weak]] std::size_t __sanitizer_get_current_allocated_bytes();

namespace switchyard::conformance {
namespace {

using base::ErrorCode;
using base::Fail;

bool SharesTheMachinesMemory(const Session& session) {
  const auto machine = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return session.has(SY_DEVICE_HOST_MEMORY) || session.properties().memory_bytes == machine;
}

base::Result<std::int64_t> ProcessBytes() {
  if (__sanitizer_get_current_allocated_bytes != nullptr) {
    return static_cast<std::int64_t>(__sanitizer_get_current_allocated_bytes());
  }
  // The second number of /proc/self/statm, in pages, as proc(5) says.
  ::malloc_trim(0);
  std::ifstream file("/proc/self/statm");
  std::int64_t all = 0;
  std::int64_t resident = 0;
  if (file >> all >> resident) return resident * ::sysconf(_SC_PAGESIZE);
  return Fail(ErrorCode::kUnimplemented, "/proc/self/statm cannot be read");
}

}  // namespace

base::Result<std::int64_t> MemoryWatch::HeldBytes() const {
  if (SharesTheMachinesMemory(*session_)) return ProcessBytes();
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
  SWITCHYARD_TRY(const std::int64_t held, HeldBytes());
  return held - at_first_;
}

}  // namespace switchyard::conformance
