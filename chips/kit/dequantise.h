// The quantised block formats of GGUF files as floats, for chips whose matrix units know plain
// numbers only. src/tensor/block_formats.h describes the formats. Pure; safe from any thread.
#pragma once

#include <cstdint>

#include "switchyard/chip.h"

namespace switchyard::chips {

// `count` elements, in whole blocks, of any type that a matrix can have: F32, F16, BF16 or blocks.
void DequantiseRow(sy_dtype dtype, const void* row, std::int64_t count, float* out);

}  // namespace switchyard::chips
