#include "conformance/tolerances.h"

#include <cmath>

namespace switchyard::conformance {
namespace {

using tensor::DType;

// Rounding a result, or an input on its way in, to a type. The relative error is at most half a
// unit in the last place u; elements of a normal distribution reach 5 times their root mean square,
// so the largest error is 5u, taken twice for slack. Evenly spread errors give u^2 / 3; taken 3
// times.
Tolerance Rounding(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return {10 * 0x1p-12, 0x1p-24};
    case DType::kBF16:
      return {10 * 0x1p-9, 0x1p-18};
    default:
      return {10 * 0x1p-24, 0x1p-48};
  }
}

// Sums of f32 products in any order, and functions such as exp and tanh by short polynomials.
constexpr Tolerance kF32Arithmetic = {5e-5, 1e-10};

// Products with a weight. K terms whose relative errors are independent keep the relative error of
// one term, measured against |x| |w|, which is the scale of random sums.
Tolerance Product(DType weight) {
  if (tensor::IsQuantised(weight)) {
    // Activations as int8 with one scale for 32 to 256 of them: the step is amax / 127, where amax
    // is up to 3 root mean squares (256 normal values), the error evenly spread over a step: (3 /
    // 127)^2 / 12 = 4.6e-5; taken 3 times. The largest of some thousands of results is 5 root mean
    // squares out: 5 * sqrt(4.6e-5) = 0.034; taken twice.
    return Tolerance{0.07, 1.4e-4};
  }
  // A weight of 16 bits is multiplied by units that take activations of its own type.
  return Rounding(weight) + kF32Arithmetic;
}

// Queries and probabilities may be rounded to the pages' type; a rounded score moves its weight by
// as much, and a query of the suite has scores of about 1.
Tolerance OfAttention(DType pages) { return Rounding(pages) * 3 + kF32Arithmetic * 4; }

// What rounding a result does to the mean of squares; to single elements see LastPlace.
Tolerance Result(DType dtype) { return {0, Rounding(dtype).nmse}; }

}  // namespace

double LastPlace(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return 0x1p-10;
    case DType::kBF16:
      return 0x1p-7;
    default:
      return 0x1p-23;
  }
}

double NmseBound(Tolerance tolerance, std::size_t count) {
  return tolerance.nmse * (1 + 5 * std::sqrt(2 / static_cast<double>(count)));
}

Tolerance ToleranceOf(sy_op_kind kind, DType activation, DType stored) {
  switch (kind) {
    case SY_OP_ROW_GATHER:
    case SY_OP_COPY:
    case SY_OP_TOP_K:
    case SY_OP_KV_STORE:
      return kExact;
    case SY_OP_LINEAR:
    case SY_OP_GROUPED_LINEAR:
    case SY_OP_BATCHED_LINEAR:
      return Product(stored) + Result(activation);
    case SY_OP_ATTENTION:
      return OfAttention(stored) + Result(activation);
    case SY_OP_ROPE:
      // Angles of up to 4096 radians in f32 are off by half a unit in the last place: 1.2e-4. A
      // value of 5 root mean squares moves by 6e-4; taken twice. Most frequencies are far lower.
      return Tolerance{1.2e-3, 1e-8} + Result(activation);
    default:
      return kF32Arithmetic + Result(activation);
  }
}

Tolerance FarRopeTolerance(DType activation) {
  // As above with angles of up to 2^17 radians: off by up to 2^-8, and 5 times that.
  return Tolerance{0.04, 1e-5} + Result(activation);
}

Tolerance LayerTolerance(DType activation, DType weight) {
  // Four products in a row lie on the longest path, between them seven other steps. The residual
  // stream adds the results to an input without error, so errors grow no faster than their sum.
  return (Product(weight) + Rounding(activation)) * 4 + (kF32Arithmetic + Rounding(activation)) * 7;
}

std::string_view ReasonFor(sy_op_kind kind, DType stored) {
  switch (kind) {
    case SY_OP_ROW_GATHER:
    case SY_OP_COPY:
    case SY_OP_TOP_K:
    case SY_OP_KV_STORE:
      return "moves values, rounding to nearest even: exact";
    case SY_OP_LINEAR:
    case SY_OP_GROUPED_LINEAR:
    case SY_OP_BATCHED_LINEAR:
      if (tensor::IsQuantised(stored)) return "activations may become int8 by blocks";
      if (stored != DType::kF32) return "activations may be rounded to the weight's type";
      return "f32 sums in any order";
    case SY_OP_ATTENTION:
      if (stored != DType::kF32)
        return "queries and probabilities may be rounded to the pages' type";
      return "f32 sums in any order, exp by polynomial";
    case SY_OP_ROPE:
      return "the angle may be an f32";
    default:
      return "f32 arithmetic and one rounding";
  }
}

}  // namespace switchyard::conformance
