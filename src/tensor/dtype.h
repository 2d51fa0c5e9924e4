// Data types of tensors: plain numbers and GGUF's quantised blocks, under the chip interface's
// numbers. Pure facts; safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "switchyard/chip.h"

namespace switchyard::tensor {

enum class DType : std::uint32_t {
  kF32 = SY_F32,
  kF16 = SY_F16,
  kBF16 = SY_BF16,
  kI32 = SY_I32,
  kI64 = SY_I64,
  kI8 = SY_I8,
  kQ4_0 = SY_Q4_0,
  kQ4_1 = SY_Q4_1,
  kQ5_0 = SY_Q5_0,
  kQ5_1 = SY_Q5_1,
  kQ8_0 = SY_Q8_0,
  kQ2_K = SY_Q2_K,
  kQ3_K = SY_Q3_K,
  kQ4_K = SY_Q4_K,
  kQ5_K = SY_Q5_K,
  kQ6_K = SY_Q6_K,
  kIQ4_NL = SY_IQ4_NL,
  kIQ4_XS = SY_IQ4_XS,
  kMXFP4 = SY_MXFP4,
};

struct DTypeTraits {
  DType dtype;
  std::string_view name;        // "q4_k"
  std::int64_t block_elements;  // 1 for plain numbers
  std::int64_t block_bytes;
};

// Null for a number that is no type of ours.
const DTypeTraits* FindTraits(sy_dtype dtype);
const DTypeTraits& Traits(DType dtype);
std::string_view Name(DType dtype);
std::optional<DType> DTypeFromName(std::string_view name);
bool IsQuantised(DType dtype);

// Bytes of `elements` along the last dimension; fails if they do not fill whole blocks or overflow.
base::Result<std::uint64_t> RowBytes(DType dtype, std::int64_t elements);

}  // namespace switchyard::tensor
