#include "tensor/dtype.h"

#include <algorithm>
#include <array>
#include <limits>

namespace switchyard::tensor {
namespace {

// Block sizes as the GGUF specification gives them.
constexpr std::array kTraits = {
    DTypeTraits{DType::kF32, "f32", 1, 4},         DTypeTraits{DType::kF16, "f16", 1, 2},
    DTypeTraits{DType::kBF16, "bf16", 1, 2},       DTypeTraits{DType::kI32, "i32", 1, 4},
    DTypeTraits{DType::kI64, "i64", 1, 8},         DTypeTraits{DType::kI8, "i8", 1, 1},
    DTypeTraits{DType::kQ4_0, "q4_0", 32, 18},     DTypeTraits{DType::kQ4_1, "q4_1", 32, 20},
    DTypeTraits{DType::kQ5_0, "q5_0", 32, 22},     DTypeTraits{DType::kQ5_1, "q5_1", 32, 24},
    DTypeTraits{DType::kQ8_0, "q8_0", 32, 34},     DTypeTraits{DType::kQ2_K, "q2_k", 256, 84},
    DTypeTraits{DType::kQ3_K, "q3_k", 256, 110},   DTypeTraits{DType::kQ4_K, "q4_k", 256, 144},
    DTypeTraits{DType::kQ5_K, "q5_k", 256, 176},   DTypeTraits{DType::kQ6_K, "q6_k", 256, 210},
    DTypeTraits{DType::kIQ4_NL, "iq4_nl", 32, 18}, DTypeTraits{DType::kIQ4_XS, "iq4_xs", 256, 136},
    DTypeTraits{DType::kMXFP4, "mxfp4", 32, 17},
};

}  // namespace

const DTypeTraits* FindTraits(sy_dtype dtype) {
  const auto* found = std::ranges::find(kTraits, dtype, [](const DTypeTraits& traits) {
    return static_cast<sy_dtype>(traits.dtype);
  });
  return found == kTraits.end() ? nullptr : found;
}

const DTypeTraits& Traits(DType dtype) {
  const DTypeTraits* traits = FindTraits(static_cast<sy_dtype>(dtype));
  SWITCHYARD_CHECK(traits != nullptr);
  return *traits;
}

std::string_view Name(DType dtype) { return Traits(dtype).name; }

std::optional<DType> DTypeFromName(std::string_view name) {
  const auto* found = std::ranges::find(kTraits, name, &DTypeTraits::name);
  if (found == kTraits.end()) return std::nullopt;
  return found->dtype;
}

bool IsQuantised(DType dtype) { return Traits(dtype).block_elements > 1; }

base::Result<std::uint64_t> RowBytes(DType dtype, std::int64_t elements) {
  const DTypeTraits& traits = Traits(dtype);
  if (elements < 0 || elements % traits.block_elements != 0) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "a row of {} {} elements does not fill whole blocks of {}", elements,
                      traits.name, traits.block_elements);
  }
  const std::int64_t blocks = elements / traits.block_elements;
  if (blocks > std::numeric_limits<std::int64_t>::max() / traits.block_bytes) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "a row of {} {} elements overflows 63 bits of bytes", elements, traits.name);
  }
  return static_cast<std::uint64_t>(blocks * traits.block_bytes);
}

}  // namespace switchyard::tensor
