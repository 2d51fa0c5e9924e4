// The bounds that the suite asks for, out of the one table in ops/tolerances.h: operands may be
// rounded to what a chip's fastest units take for the weight's type, and no further.
#pragma once

#include <string_view>

#include "ops/tolerances.h"

namespace switchyard::conformance {

using ops::FarRopeTolerance;
using ops::kExact;
using ops::LastPlace;
using ops::NmseBound;
using ops::Tolerance;

inline ops::Operands OperandsFor(tensor::DType stored) {
  return tensor::IsQuantised(stored) ? ops::Operands::kInt8 : ops::Operands::kF32;
}

inline Tolerance ToleranceOf(sy_op_kind kind, tensor::DType activation,
                             tensor::DType stored = tensor::DType::kF32) {
  return ops::ToleranceOf(kind, activation, stored, OperandsFor(stored));
}

inline Tolerance LayerTolerance(tensor::DType activation, tensor::DType weight) {
  return ops::LayerTolerance(activation, weight, OperandsFor(weight));
}

inline std::string_view ReasonFor(sy_op_kind kind, tensor::DType stored = tensor::DType::kF32) {
  return ops::ReasonFor(kind, stored, OperandsFor(stored));
}

}  // namespace switchyard::conformance
