// Errors as values. Every fallible function of Switchyard returns Result<T>; no exception crosses a
// module edge or the chip interface.
//
// A message is a sentence that the user can act on: what failed, with which value, and what to do.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::base {

// The canonical gRPC status codes; the numbers are those of the chip interface too.
enum class ErrorCode : std::int32_t {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// The code's name as gRPC spells it, such as "INVALID_ARGUMENT".
std::string_view ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kUnknown;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

// Builds the error arm of a Result: return Fail(ErrorCode::kNotFound, "no file at '{}'", path);
template <typename... Args>
std::unexpected<Error> Fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// Puts a caller's context before a callee's message: "loading 'x.gguf': the file is truncated".
template <typename... Args>
std::unexpected<Error> Rethrow(Error error, fmt::format_string<Args...> format, Args&&... args) {
  error.message = fmt::format(format, std::forward<Args>(args)...) + ": " + error.message;
  return std::unexpected(std::move(error));
}

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace switchyard::base

// For our own bugs only, never for bad input.
#define SWITCHYARD_CHECK(condition) \
  ((condition) ? void(0) : ::switchyard::base::CheckFailed(__FILE__, __LINE__, #condition))

#define SWITCHYARD_CONCAT_INNER(a, b) a##b
#define SWITCHYARD_CONCAT(a, b) SWITCHYARD_CONCAT_INNER(a, b)

// SWITCHYARD_TRY(auto file, OpenFile(path)); assigns the value or returns the error.
#define SWITCHYARD_TRY(target, expression) \
  SWITCHYARD_TRY_INNER(SWITCHYARD_CONCAT(switchyard_try_, __LINE__), target, expression)
#define SWITCHYARD_TRY_INNER(holder, target, expression)          \
  auto holder = (expression);                                     \
  if (!holder) return std::unexpected(std::move(holder.error())); \
  target = std::move(*holder)

// SWITCHYARD_RETURN_IF_ERROR(Validate(x)); for Status.
#define SWITCHYARD_RETURN_IF_ERROR(expression)                       \
  do {                                                               \
    if (auto switchyard_status = (expression); !switchyard_status) { \
      return std::unexpected(std::move(switchyard_status.error()));  \
    }                                                                \
  } while (false)
