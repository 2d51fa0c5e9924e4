#include "kit/element_types.h"

#include <cstdio>

namespace switchyard::chips {

const ElementType* FindElementType(sy_dtype dtype) {
  static constexpr ElementType kNumbers[] = {{"f32", 1, 4}, {"f16", 1, 2}, {"bf16", 1, 2},
                                             {"i32", 1, 4}, {"i64", 1, 8}, {"i8", 1, 1}};
  static constexpr ElementType kBlocks[] = {
      {"q4_0", 32, 18},   {"q4_1", 32, 20},   {"q5_0", 32, 22},   {"q5_1", 32, 24},
      {"q8_0", 32, 34},   {"q2_k", 256, 84},  {"q3_k", 256, 110}, {"q4_k", 256, 144},
      {"q5_k", 256, 176}, {"q6_k", 256, 210}, {"iq4_nl", 32, 18}, {"iq4_xs", 256, 136},
      {"mxfp4", 32, 17}};
  if (dtype < sizeof kNumbers / sizeof *kNumbers) return &kNumbers[dtype];
  if (dtype < SY_Q4_0 || dtype - SY_Q4_0 >= sizeof kBlocks / sizeof *kBlocks) return nullptr;
  return &kBlocks[dtype - SY_Q4_0];
}

bool IsActivation(sy_dtype dtype) { return dtype <= SY_BF16; }
bool IsBlockFormat(sy_dtype dtype) { return dtype >= SY_Q4_0; }

std::int64_t RowCount(const sy_tensor& tensor) {
  std::int64_t rows = 1;
  for (std::uint32_t i = 0; i + 1 < tensor.rank; ++i) rows *= tensor.dims[i];
  return rows;
}

std::uint64_t RowBytes(const sy_tensor& tensor) {
  const ElementType& type = *FindElementType(tensor.dtype);
  return static_cast<std::uint64_t>(tensor.dims[tensor.rank - 1] / type.block_elements *
                                    type.block_bytes);
}

std::uint64_t SpanBytes(const sy_tensor& tensor) {
  std::uint64_t bytes = RowBytes(tensor);
  for (std::uint32_t i = 0; i + 1 < tensor.rank; ++i) {
    bytes += static_cast<std::uint64_t>((tensor.dims[i] - 1) * tensor.strides[i]);
  }
  return bytes;
}

void MakeDense(sy_tensor& tensor) {
  const ElementType& type = *FindElementType(tensor.dtype);
  tensor.strides[tensor.rank - 1] = type.block_bytes;
  auto stride = static_cast<std::int64_t>(RowBytes(tensor));
  for (std::uint32_t i = tensor.rank - 1; i-- > 0; stride *= tensor.dims[i]) {
    tensor.strides[i] = stride;
  }
}

TensorText Describe(const sy_tensor& tensor) {
  TensorText result{};
  const ElementType* type = FindElementType(tensor.dtype);
  int at = std::snprintf(result.text, sizeof result.text, "%s [",
                         type == nullptr ? "unknown" : type->name);
  for (std::uint32_t i = 0; i < tensor.rank && i < SY_MAX_RANK; ++i) {
    at += std::snprintf(result.text + at, sizeof result.text - static_cast<unsigned>(at), "%s%lld",
                        i == 0 ? "" : ", ", static_cast<long long>(tensor.dims[i]));
  }
  std::snprintf(result.text + at, sizeof result.text - static_cast<unsigned>(at), "]");
  return result;
}

}  // namespace switchyard::chips
