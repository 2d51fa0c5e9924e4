#include "model/footprint.h"

#include <cmath>

#include "model/architecture.h"

namespace switchyard::model {
namespace {

// Bytes of one weight that one operation of a single-token pass reads.
std::uint64_t ReadBytes(const sy_op& op, const device::HostWeight& weight,
                        const ModelConfig& config) {
  const std::uint64_t bytes = weight.bytes.size();
  if (op.kind == SY_OP_EMBEDDING) return bytes / static_cast<std::uint64_t>(weight.dims[0]);
  // Experts are of one size, so that this is a whole number but for rounding.
  return static_cast<std::uint64_t>(
      std::llround(static_cast<double>(bytes) * UsedShare(weight, config)));
}

}  // namespace

std::uint64_t Footprint::TotalReadBytesPerToken() const {
  std::uint64_t total = 0;
  for (const auto& [dtype, bytes] : read_bytes_per_token) total += bytes;
  return total;
}

base::Result<Footprint> MeasureFootprint(const ModelConfig& config, const ModelWeights& weights,
                                         tensor::DType kv_dtype) {
  SWITCHYARD_TRY(const Forward forward, BuildForward(config, weights, {}, {.kv_dtype = kv_dtype}));
  Footprint footprint;
  const device::WeightTable& table = weights.table();
  for (ops::WeightIndex i = 0; i < table.size(); ++i) {
    const device::HostWeight& weight = table.at(i);
    if (weight.name == kRopeFrequencies || weight.name == kWindowRopeFrequencies) continue;
    footprint.weight_bytes += weight.bytes.size();
    Footprint::OfType& type = footprint.types[weight.dtype];
    ++type.tensors;
    type.bytes += weight.bytes.size();
    std::int64_t elements = 1;
    for (const std::int64_t dim : weight.dims) elements *= dim;
    footprint.parameters += elements;
  }
  for (const sy_op& op : forward.ops.ops()) {
    if (op.kind == SY_OP_ROPE) continue;  // its table is no weight of the model's
    for (const std::uint32_t input : op.inputs) {
      if (input == SY_NO_TENSOR) continue;
      const ops::WeightIndex index = forward.ops.weight_index(input);
      if (index == ops::kNotAWeight) continue;
      const device::HostWeight& weight = table.at(index);
      footprint.read_bytes_per_token[weight.dtype] += ReadBytes(op, weight, config);
    }
  }
  const auto element_bytes = static_cast<std::uint64_t>(tensor::Traits(kv_dtype).block_bytes);
  footprint.kv_bytes_per_token = static_cast<std::uint64_t>(config.layers * config.kv_heads *
                                                            (config.key_dim + config.value_dim)) *
                                 element_bytes;
  return footprint;
}

double UsedShare(const device::HostWeight& weight, const ModelConfig& config) {
  if (weight.dims.size() < 3 || config.experts.count == 0) return 1.0;
  return static_cast<double>(config.experts.used) / static_cast<double>(config.experts.count);
}

}  // namespace switchyard::model
