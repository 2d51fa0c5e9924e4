// What a model costs in bytes: to hold, to read for each decoded token, and in KV cache. Derived
// from its forward pass, so that it is right for every architecture. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <map>

#include "base/error.h"
#include "model/model_config.h"
#include "model/model_weights.h"
#include "tensor/dtype.h"

namespace switchyard::model {

struct Footprint {
  struct OfType {
    std::int64_t tensors = 0;
    std::uint64_t bytes = 0;
  };

  std::int64_t parameters = 0;
  std::uint64_t weight_bytes = 0;         // as the file holds them
  std::map<tensor::DType, OfType> types;  // what they are made of
  // What decoding one token of one sequence reads, by the weights' type: of an embedding one row,
  // of a mixture the experts used.
  std::map<tensor::DType, std::uint64_t> read_bytes_per_token;
  std::uint64_t kv_bytes_per_token = 0;  // in all layers, with the given type

  std::uint64_t TotalReadBytesPerToken() const;
};

base::Result<Footprint> MeasureFootprint(const ModelConfig& config, const ModelWeights& weights,
                                         tensor::DType kv_dtype);

// The share of a weight that one token uses: all of a matrix, the chosen ones of a stack of
// experts.
double UsedShare(const device::HostWeight& weight, const ModelConfig& config);

}  // namespace switchyard::model
