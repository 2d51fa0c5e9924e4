// How much memory a tensor of a program covers, with its strides. Pure; safe from any thread.
#pragma once

#include <cstdint>

#include "switchyard/chip.h"

namespace switchyard::ops {

// Bytes from the tensor's first element to one past its last, gaps between rows included. The
// tensor must have passed Validate (op_rules.h), which bounds the number to 62 bits.
std::uint64_t SpanBytes(const sy_tensor& tensor);

// Bytes of one row, which is the last dimension and always dense.
std::uint64_t RowBytes(const sy_tensor& tensor);

// Dims outermost first, without the last: how many rows the tensor has.
std::int64_t RowCount(const sy_tensor& tensor);

// Whether each stride is exactly what the dims below it fill.
bool IsDense(const sy_tensor& tensor);

// The tensor whose memory this one uses: itself, or the base of a view.
inline std::uint32_t RootOf(const sy_tensor* tensors, std::uint32_t index) {
  return tensors[index].storage == SY_STORAGE_VIEW ? tensors[index].base : index;
}

}  // namespace switchyard::ops
