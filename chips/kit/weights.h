// What PrepareWeight may answer: a weight as the file has it, or widened to a plain type of 16
// bits. Pure; safe from any thread.
#pragma once

#include "kit/device.h"

namespace switchyard::chips {

// Fails unless the type is known, the dims are positive and data_bytes is what they want.
void CheckWeight(const sy_weight_desc& desc);

// The functions below take a weight that passed.

WeightImage AsGiven(const sy_weight_desc& desc);

// Each row as F16 or BF16, filled up with zeros to a multiple of `alignment_bytes`. A finite value
// that is too large for F16 fails with SY_UNIMPLEMENTED: it must not become infinity in silence.
WeightImage As16Bit(const sy_weight_desc& desc, sy_dtype dtype, std::uint64_t alignment_bytes);

}  // namespace switchyard::chips
