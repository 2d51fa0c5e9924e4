// A tensor of an operation with its memory, read and written row by row as f32. The reference
// operations see tensors through this alone, so types and strides are handled once.
//
// A row is the last dimension; rows are numbered through all dims above it, outermost first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "switchyard/chip.h"

namespace switchyard::ops::reference {

struct Operand {
  const sy_tensor* tensor = nullptr;
  std::byte* bytes = nullptr;  // of the first element; of weights: the blocks as the model has them

  bool present() const { return tensor != nullptr; }
  std::int64_t dim(std::uint32_t index) const { return tensor->dims[index]; }
  std::int64_t row_length() const { return tensor->dims[tensor->rank - 1]; }
};

std::byte* RowAddress(const Operand& operand, std::int64_t row);

// `values` has row_length elements. Any type but integers; quantised blocks are dequantised.
void LoadRow(const Operand& operand, std::int64_t row, std::span<float> values);
std::vector<float> LoadRow(const Operand& operand, std::int64_t row);
// All rows, one after the other.
std::vector<float> LoadRows(const Operand& operand);

// F32, F16 or BF16, rounding to nearest even.
void StoreRow(const Operand& operand, std::int64_t row, std::span<const float> values);

// An element of an I32 tensor, which is dense in its last dimension.
std::int32_t LoadIndex(const Operand& operand, std::int64_t row, std::int64_t column);
// For tensors of rank 1.
inline std::int32_t LoadIndex(const Operand& operand, std::int64_t column) {
  return LoadIndex(operand, 0, column);
}
void StoreIndex(const Operand& operand, std::int64_t row, std::int64_t column, std::int32_t value);

}  // namespace switchyard::ops::reference
