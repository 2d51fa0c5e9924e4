// Which operations write which memory, and what may share it. Part of Validate.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ops/internal/signatures.h"
#include "switchyard/chip.h"

namespace switchyard::ops::internal {

// Whether the two tensors have an element's memory in common. Exact where both step by the same row
// stride (windows of columns of one tensor); otherwise errs towards true.
bool SharesMemory(const sy_tensor* tensors, std::uint32_t a, std::uint32_t b);

// Same memory, same order: what "in place" means.
bool IsSameMemory(const sy_tensor* tensors, std::uint32_t a, std::uint32_t b);

// Follows a program's operations in order. `desc` must outlive it and have passed CheckTensors.
class MemoryRules {
 public:
  explicit MemoryRules(const sy_program_desc& desc);

  // Checks operation `op` against those before it; its tensors must fit `signature` already.
  base::Status Check(std::uint32_t op, const Signature& signature);

 private:
  enum class Role : std::uint8_t { kUnused, kPages, kElements };

  base::Status CheckRead(std::uint32_t op, const Place& place, std::uint32_t tensor);
  base::Status CheckRole(std::uint32_t op, const Place& place, std::uint32_t tensor);

  const sy_program_desc& desc_;
  std::vector<bool> written_;  // by tensor that is no view: whether an operation wrote to it yet
  std::vector<Role> roles_;    // by tensor that is no view
};

}  // namespace switchyard::ops::internal
