// How a chip keeps to the interface's border: a call's body becomes a sy_status, its sentence is
// kept for last_error on this thread, and no exception gets through.
//
// A body returns nothing and throws a Failure, or returns a std::expected whose error has a `code`
// and a `message`. C++17, as all of the kit: a vendor's compiler may be old.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <type_traits>

#include "switchyard/chip.h"

namespace switchyard::chips {

// What failed: a status that the host acts on, and a sentence that says what, which value and what
// to do.
class Failure : public std::exception {
 public:
  // printf-like.
  [[gnu::format(printf, 3, 4)]] Failure(sy_status status, const char* format, ...)
      : status_(status) {
    char text[512];
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sentence_ = text;
  }
  sy_status status() const { return status_; }
  const char* what() const noexcept override { return sentence_.c_str(); }

 private:
  sy_status status_;
  std::string sentence_;
};

// What last_error gives on this thread.
inline std::string& LastError() {
  thread_local std::string sentence;
  return sentence;
}

inline sy_status Report(sy_status status, const std::string& sentence) {
  LastError() = sentence;
  return status;
}

template <typename Body>
sy_status Guard(Body body) {
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
    } else {
      const auto result = body();
      if (!result) {
        return Report(static_cast<sy_status>(result.error().code), result.error().message);
      }
    }
    return SY_OK;
  } catch (const Failure& failure) {
    return Report(failure.status(), failure.what());
  } catch (const std::bad_alloc&) {
    return Report(SY_RESOURCE_EXHAUSTED, "the machine is out of memory");
  } catch (const std::exception& exception) {
    return Report(SY_INTERNAL, exception.what());
  }
}

// The same for work on a device, which has an `is_lost`: nothing works on a lost one, and losing it
// is remembered.
template <typename Device, typename Body>
sy_status GuardOn(Device* device, Body body) {
  if (device->is_lost) return Report(SY_UNAVAILABLE, "the device is lost");
  const sy_status status = Guard(body);
  if (status == SY_UNAVAILABLE) device->is_lost = true;
  return status;
}

}  // namespace switchyard::chips
