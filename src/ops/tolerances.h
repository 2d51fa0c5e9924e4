// The one table of what may differ from the truth, by operation and types, and why: conformance and
// certification take their bounds from here.
//
// Two errors are bounded. Both are relative to the scale of a result, which is its root mean square
// over the whole tensor as the truth has it:
//   max_error  the largest difference of one element, over the scale; each element may differ by
//   one
//              unit in the last place of its own type besides, as truth and result are both rounded
//   nmse       the mean of squared differences, over the square of the scale; of n elements, up to
//              1 + 5 sqrt(2 / n) times the bound, as a mean of few squares is spread widely
// The first finds single wrong elements, the second an arithmetic that is too coarse.
#pragma once

#include <cstddef>
#include <string_view>

#include "switchyard/chip.h"
#include "tensor/dtype.h"

namespace switchyard::ops {

struct Tolerance {
  double max_error = 0;
  double nmse = 0;

  bool is_exact() const { return max_error == 0; }
  // Errors of independent steps, one after the other.
  Tolerance operator+(Tolerance other) const {
    return {max_error + other.max_error, nmse + other.nmse};
  }
  Tolerance operator*(double steps) const { return {max_error * steps, nmse * steps}; }
};

// A unit in the last place, relative to the value: the most that it can be within a power of two.
double LastPlace(tensor::DType dtype);

// The bound on the NMSE of `count` elements.
double NmseBound(Tolerance tolerance, std::size_t count);

// Bit for bit.
inline constexpr Tolerance kExact{};

// The coarsest rounding that operands of products and of attention may meet on their way in, beyond
// that to the type of a 16-bit weight or page, which is always allowed.
enum class Operands { kF32, kF16, kBF16, kInt8 };

std::string_view Name(Operands operands);  // "f16"

// Of one operation whose activations have type `activation` and whose weight or KV pages have type
// `stored` (F32 where it has neither).
Tolerance ToleranceOf(sy_op_kind kind, tensor::DType activation, tensor::DType stored,
                      Operands operands);

// RoPE at positions of 2^17, where the angle itself has few bits left in f32.
Tolerance FarRopeTolerance(tensor::DType activation);

// The same on a real model's activations, some of which are a hundred times the others: operands
// that share a scale with one of them lose bits that random ones keep.
Tolerance ToleranceOnRealActivations(sy_op_kind kind, tensor::DType activation,
                                     tensor::DType stored, Operands operands);

// A whole transformer layer, measured on the residual stream.
Tolerance LayerTolerance(tensor::DType activation, tensor::DType weight, Operands operands);

// Why the bound is what it is, for reports.
std::string_view ReasonFor(sy_op_kind kind, tensor::DType stored, Operands operands);

}  // namespace switchyard::ops
