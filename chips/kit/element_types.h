// The interface's data types as bytes, and what tensors cover. Pure; safe from any thread.
#pragma once

#include <cstdint>

#include "switchyard/chip.h"

namespace switchyard::chips {

// Elements along the last dimension come in blocks; of plain numbers a block is one.
struct ElementType {
  const char* name;  // "q4_k"
  std::int64_t block_elements;
  std::int64_t block_bytes;
};

// Null for a number that is no type of this version's.
const ElementType* FindElementType(sy_dtype dtype);

bool IsActivation(sy_dtype dtype);  // F32, F16, BF16
bool IsBlockFormat(sy_dtype dtype);

// Of tensors that CheckTensors (program_check.h) has passed.
std::int64_t RowCount(const sy_tensor& tensor);  // dims but for the last
std::uint64_t RowBytes(const sy_tensor& tensor);
// From the first element to one past the last, gaps between rows included.
std::uint64_t SpanBytes(const sy_tensor& tensor);
void MakeDense(sy_tensor& tensor);

// "f16 [4, 576]"
struct TensorText {
  char text[96];
};
TensorText Describe(const sy_tensor& tensor);

}  // namespace switchyard::chips
