// Products whose activations are rounded as the CPU kernels of llama.cpp (ggml) round them: how
// much of a difference to that program is its own arithmetic, and how much would be an error here.
#pragma once

#include <span>

#include "base/error.h"
#include "ops/reference/reference.h"

namespace switchyard::chips {

// How ggml's CPU kernels hold the activations that meet weights of a type.
enum class ActivationType {
  kAsGiven,
  kF16,
  kBF16,
  kQ8_0,  // 8-bit codes with an f16 scale for 32 elements
  kQ8_1,  // the same; weights with a minimum see the sum of a block, which is rounded to f16 too
  kQ8_K,  // 8-bit codes with an f32 scale for 256 elements
};
ActivationType ActivationTypeFor(sy_dtype weight);

// Rounds a row, whose length is a multiple of the type's block. `sum_errors`, one for each 32
// elements for kQ8_1 and empty for the others, is what each block's rounded sum is larger by than
// the sum of its rounded elements.
void RoundActivations(ActivationType type, std::span<float> row, std::span<float> sum_errors);

// ops::reference::Run, and for products on rounded activations.
base::Status RunWithRoundedActivations(const ops::reference::Call& call);

}  // namespace switchyard::chips
