// Reads the fields of one JSON object of a request, with OpenAI's sentences and codes for what is
// wrong. The first fault is kept; whoever reads asks for it once, at the end. A field that is null
// counts as absent. Lives on the stack of one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "protocol/api_error.h"

namespace switchyard::protocol {

// Of a model, a role, a user.
inline constexpr std::size_t kNameBytes = 1024;

// "a string", "an integer", … as OpenAI names what it got.
std::string_view JsonTypeName(const base::Json& value);

ApiError WrongType(std::string_view param, std::string_view expected, const base::Json& got);

class FieldReader {
 public:
  // `object` must be an object and outlive the reader; `prefix`, such as "stream_options.", goes
  // before names in errors.
  explicit FieldReader(const base::Json& object, std::string prefix = "")
      : object_(object), prefix_(std::move(prefix)) {}

  // Null if absent.
  const base::Json* Find(std::string_view name) const;

  std::optional<double> Decimal(std::string_view name, double min, double max);
  std::optional<std::int64_t> Integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<bool> Boolean(std::string_view name);
  std::optional<std::string> String(std::string_view name, std::size_t max_bytes);
  // One string or a list of them.
  std::vector<std::string> Strings(std::string_view name, std::size_t max_count,
                                   std::size_t max_bytes);
  std::vector<std::int32_t> TokenIds(std::string_view name, std::size_t max_count);

  void Fail(ApiError error) {
    if (!error_) error_ = std::move(error);
  }
  void FailMissing(std::string_view name);
  const std::optional<ApiError>& error() const { return error_; }
  std::string Param(std::string_view name) const { return prefix_ + std::string(name); }

 private:
  const base::Json& object_;
  std::string prefix_;
  std::optional<ApiError> error_;
};

// The token ids of a list, each 0 or more.
ApiResult<std::vector<std::int32_t>> ReadTokenIds(const base::Json& list, std::string_view param,
                                                  std::size_t max_count);

// A request's body as an object.
ApiResult<base::Json> ParseBody(std::string_view body);

}  // namespace switchyard::protocol
