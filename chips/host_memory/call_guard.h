// How a chip written on base::Status keeps to the interface's border: a call's body becomes a
// sy_status, its sentence is kept for last_error on this thread, and no exception gets through.
#pragma once

#include <exception>
#include <new>
#include <string>

#include "base/error.h"
#include "switchyard/chip.h"

namespace switchyard::chips {

// What last_error gives on this thread.
inline std::string& LastError() {
  thread_local std::string sentence;
  return sentence;
}

inline sy_status Report(const base::Error& error) {
  LastError() = error.message;
  return static_cast<sy_status>(error.code);
}

// Runs a call's body, which returns base::Status.
template <typename Body>
sy_status Guard(Body body) {
  try {
    const base::Status status = body();
    return status ? SY_OK : Report(status.error());
  } catch (const std::bad_alloc&) {
    return Report({base::ErrorCode::kResourceExhausted, "the machine is out of memory"});
  } catch (const std::exception& exception) {
    return Report({base::ErrorCode::kInternal, exception.what()});
  }
}

// The same for work on a device, which has an `is_lost`: nothing works on a lost one, and losing it
// is remembered.
template <typename Device, typename Body>
sy_status GuardOn(Device* device, Body body) {
  if (device->is_lost) return Report({base::ErrorCode::kUnavailable, "the device is lost"});
  const sy_status status = Guard(body);
  if (status == SY_UNAVAILABLE) device->is_lost = true;
  return status;
}

}  // namespace switchyard::chips
