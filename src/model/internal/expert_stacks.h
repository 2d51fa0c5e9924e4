// Gathers experts that a file holds one matrix each into one tensor [E, N, K], without copying yet.
// Used while a Checkpoint is opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/checkpoint.h"

namespace switchyard::model::internal {

struct ExpertName {
  std::string name;  // the stack's: "blk.0.ffn_gate_exps.weight"
  std::int64_t expert;
};

// "blk.0.ffn_gate.7.weight" -> {"blk.0.ffn_gate_exps.weight", 7}; nothing for other names.
std::optional<ExpertName> ParseGgufExpert(std::string_view name);

// A decimal number of at most six digits at the front of `text`, which then loses it.
std::optional<std::int64_t> TakeNumber(std::string_view& text);

class ExpertStacks {
 public:
  // `expert` must be below `experts`, the configuration's number.
  base::Status Add(const std::string& name, std::int64_t expert, std::int64_t experts,
                   CheckpointTensor tensor);
  // Fails if a stack has a gap.
  base::Status MoveTo(std::map<std::string, CheckpointTensor, std::less<>>& tensors);

 private:
  struct Stack {
    tensor::DType dtype;
    std::vector<std::int64_t> dims;  // of one expert
    std::int64_t experts;
    // Sparse until it is known to be whole, so that memory grows with the file's tensors only.
    std::map<std::int64_t, std::span<const std::byte>> parts;
  };
  std::map<std::string, Stack> stacks_;
};

}  // namespace switchyard::model::internal
