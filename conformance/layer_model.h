// Whole decoders as scenarios: embedding, layers, the last row's logits. For cases that compare a
// program of many operations, and for the soak.
#pragma once

#include <cstdint>

#include "conformance/scenario.h"

namespace switchyard::conformance {

struct LayerShape {
  std::int64_t tokens = 5;  // of each sequence
  std::int64_t sequences = 1;
  std::uint32_t window = 0;
  std::int64_t hidden = 256;
  std::int64_t heads = 4;
  std::int64_t kv_heads = 2;
  std::int64_t width = 64;
  std::int64_t feed_forward = 512;
  bool is_fused = true;  // one matrix for q, k and v, and one for gate and up
  bool has_experts = false;
  int layers = 2;
};

// Leaves the scenario sealed; its one result is the logits.
void BuildModel(Scenario& s, DType act, DType weight, const LayerShape& shape,
                std::int32_t page_size);

}  // namespace switchyard::conformance
