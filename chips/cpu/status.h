// Failures as values inside the plugin.
#pragma once

#include <expected>
#include <string>

#include "switchyard/chip.h"

namespace switchyard::cpu {

struct Error {
  sy_status code;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

// printf-like.
[[gnu::format(printf, 2, 3)]] std::unexpected<Error> Fail(sy_status code, const char* format, ...);

}  // namespace switchyard::cpu

#define SWITCHYARD_CPU_RETURN_IF_ERROR(expression)           \
  do {                                                       \
    if (auto cpu_status = (expression); !cpu_status) {       \
      return std::unexpected(std::move(cpu_status.error())); \
    }                                                        \
  } while (false)
