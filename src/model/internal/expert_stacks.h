// Gathers experts that a file holds one matrix each into one tensor [E, N, K], without copying yet.
// Used while a Checkpoint is opened.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

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
  std::map<std::string, CheckpointTensor> stacks_;
};

}  // namespace switchyard::model::internal
