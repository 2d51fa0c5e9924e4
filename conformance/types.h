// The types that cases range over.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace switchyard::conformance {

inline constexpr std::array kActivationTypes = {tensor::DType::kF32, tensor::DType::kF16,
                                                tensor::DType::kBF16};

inline constexpr std::array kPlainWeightTypes = kActivationTypes;

// Blocks of 32, then of 256.
inline constexpr std::array kQuantisedTypes = {
    tensor::DType::kQ4_0,  tensor::DType::kQ4_1,   tensor::DType::kQ5_0,  tensor::DType::kQ5_1,
    tensor::DType::kQ8_0,  tensor::DType::kIQ4_NL, tensor::DType::kMXFP4, tensor::DType::kQ2_K,
    tensor::DType::kQ3_K,  tensor::DType::kQ4_K,   tensor::DType::kQ5_K,  tensor::DType::kQ6_K,
    tensor::DType::kIQ4_XS};

inline std::vector<tensor::DType> WeightTypes() {
  std::vector<tensor::DType> types(kPlainWeightTypes.begin(), kPlainWeightTypes.end());
  types.insert(types.end(), kQuantisedTypes.begin(), kQuantisedTypes.end());
  return types;
}

inline std::string Text(tensor::DType dtype) { return std::string(tensor::Name(dtype)); }

inline std::int64_t BlockOf(tensor::DType dtype) { return tensor::Traits(dtype).block_elements; }

// Rows of a long prefill or of many sequences at once, about edges that tiles may have.
inline constexpr std::array<std::int64_t, 3> kLargeBatches = {1024, 1025, 2048};

// 0, 1, 2, ...
inline std::vector<std::int32_t> Counting(std::int64_t count) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

}  // namespace switchyard::conformance
