// Whether memory that was given back is there again: how much less there is than at the beginning.
//
// memory_available tells it on a device with memory of its own. Where the device's memory is the
// machine's, other processes move that number, and what this process holds is looked at instead.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "conformance/session.h"

namespace switchyard::conformance {

class MemoryWatch {
 public:
  static base::Result<MemoryWatch> Begin(const Session& session);

  // In bytes; negative if there is more.
  base::Result<std::int64_t> LostBytes() const;

 private:
  explicit MemoryWatch(const Session& session) : session_(&session) {}
  // What is missing from some fixed amount.
  base::Result<std::int64_t> HeldBytes() const;

  const Session* session_;
  std::int64_t at_first_ = 0;
};

}  // namespace switchyard::conformance
