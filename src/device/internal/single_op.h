// One operation of a list as a description of its own. Chips check every tensor of what they are
// asked about, so asking about each operation within the whole list would cost its square.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "switchyard/chip.h"

namespace switchyard::device::internal {

class SingleOp {
 public:
  SingleOp(const sy_program_desc& list, std::uint32_t op) : list_(list), op_(list.ops[op]) {
    for (std::uint32_t& input : op_.inputs) input = Take(input);
    for (std::uint32_t& output : op_.outputs) output = Take(output);
  }
  SingleOp(const SingleOp&) = delete;  // the description points into it
  SingleOp& operator=(const SingleOp&) = delete;

  sy_program_desc desc() const {
    return {sizeof(sy_program_desc), count_, tensors_.data(), 1, &op_, list_.slot_count};
  }

 private:
  // With what a view looks into.
  static constexpr std::size_t kMost = std::size_t{2} * (SY_MAX_INPUTS + SY_MAX_OUTPUTS);

  std::uint32_t Take(std::uint32_t tensor) {
    if (tensor == SY_NO_TENSOR) return tensor;
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (origins_[i] == tensor) return i;
    }
    sy_tensor copy = list_.tensors[tensor];
    if (copy.storage == SY_STORAGE_VIEW) copy.base = Take(copy.base);
    origins_[count_] = tensor;
    tensors_[count_] = copy;
    return count_++;
  }

  const sy_program_desc& list_;
  sy_op op_;
  std::array<sy_tensor, kMost> tensors_;
  std::array<std::uint32_t, kMost> origins_;
  std::uint32_t count_ = 0;
};

}  // namespace switchyard::device::internal
