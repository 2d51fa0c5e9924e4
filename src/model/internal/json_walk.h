// Large flat JSON from outside, read as events instead of a tree: time and memory stay linear in
// the text, and a key that occurs twice is seen twice. Used for the tables of safetensors files,
// which can list a hundred thousand tensors.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::model::internal {

// Where a value stands: for each enclosing object the key, for each enclosing array "".
using JsonPath = std::span<const std::string>;

class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  // The first failure ends the walk.
  virtual base::Status OnObject(JsonPath path) = 0;
  virtual base::Status OnArray(JsonPath path) = 0;
  virtual base::Status OnString(JsonPath path, std::string_view value) = 0;
  virtual base::Status OnUnsigned(JsonPath path, std::uint64_t value) = 0;
  // null, booleans, negative and fractional numbers.
  virtual base::Status OnOther(JsonPath path) = 0;
};

// Calls `events` in the order of the text. Fails on what is not JSON or is nested deeper than 8.
base::Status WalkJson(std::string_view text, JsonEvents& events);

}  // namespace switchyard::model::internal
