// A model's weights, found once by name in its checkpoint and registered in a device::WeightTable.
// Made by a trial build of the forward pass, so that what is looked for, with which shape and for
// which use, is written in one place: the architecture's file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "device/weight_table.h"
#include "model/checkpoint.h"
#include "model/model_config.h"
#include "tensor/dtype.h"

namespace switchyard::model {

// The rotary tables' names; they stand in no file.
inline constexpr std::string_view kRopeFrequencies = "rope.inverse_frequencies";
inline constexpr std::string_view kWindowRopeFrequencies = "rope.window_inverse_frequencies";

// How a forward pass sees one weight.
struct WeightView {
  ops::WeightIndex index;
  tensor::DType dtype;
  std::span<const std::int64_t> dims;
};

class ModelWeights {
 public:
  // Fails if a tensor is missing, has another shape than the configuration asks for, or is there
  // but unknown to the architecture (the answers would be wrong without a word). `checkpoint` must
  // outlive the result: tensors that need no conversion stay where it has them.
  static base::Result<ModelWeights> Load(const ModelConfig& config, const Checkpoint& checkpoint);

  std::optional<WeightView> Find(std::string_view name) const;
  device::WeightTable& table() { return table_; }
  const device::WeightTable& table() const { return table_; }

 private:
  device::WeightTable table_;
  std::map<std::string, ops::WeightIndex, std::less<>> indices_;
};

}  // namespace switchyard::model
