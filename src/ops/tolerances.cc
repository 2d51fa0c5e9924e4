#include "ops/tolerances.h"

#include <cmath>

#include "ops/op_rules.h"

namespace switchyard::ops {
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

// The 16-bit type that an operand meets, of those of its partner and of the rounding allowed.
DType OperandType(DType stored, Operands operands) {
  if (stored == DType::kBF16 || operands == Operands::kBF16) return DType::kBF16;
  if (stored == DType::kF16 || operands == Operands::kF16) return DType::kF16;
  return DType::kF32;
}

// Products with a weight. K terms whose relative errors are independent keep the relative error of
// one term, measured against |x| |w|, which is the scale of random sums.
Tolerance Product(DType weight, Operands operands) {
  if (operands == Operands::kInt8 && tensor::IsQuantised(weight)) {
    // Activations as int8 with one scale for 32 to 256 of them: the step is amax / 127, where amax
    // is up to 3 root mean squares (256 normal values), the error evenly spread over a step: (3 /
    // 127)^2 / 12 = 4.6e-5; taken 3 times. The largest of some thousands of results is 5 root mean
    // squares out: 5 * sqrt(4.6e-5) = 0.034; taken twice.
    return Tolerance{0.07, 1.4e-4};
  }
  return Rounding(OperandType(weight, operands)) + kF32Arithmetic;
}

// Queries and probabilities may be rounded too; a rounded score moves its weight by as much, and a
// query of the suite has scores of about 1.
Tolerance OfAttention(DType pages, Operands operands) {
  return Rounding(OperandType(pages, operands)) * 3 + kF32Arithmetic * 4;
}

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

std::string_view Name(Operands operands) {
  switch (operands) {
    case Operands::kF16:
      return "f16";
    case Operands::kBF16:
      return "bf16";
    case Operands::kInt8:
      return "int8";
    default:
      return "f32";
  }
}

Tolerance ToleranceOf(sy_op_kind kind, DType activation, DType stored, Operands operands) {
  switch (kind) {
    case SY_OP_ROW_GATHER:
    case SY_OP_COPY:
    case SY_OP_TOP_K:
    case SY_OP_KV_STORE:
      return kExact;
    case SY_OP_EMBEDDING:
      // A quantised table may be widened to the activations' type once for all, which is a rounding
      // more. Its few values lie where they lie: up to u^2 / 3 where Result expects a third of
      // that.
      return kF32Arithmetic + Result(activation) * (tensor::IsQuantised(stored) ? 3 : 1);
    case SY_OP_LINEAR:
    case SY_OP_GROUPED_LINEAR:
    case SY_OP_BATCHED_LINEAR:
      return Product(stored, operands) + Result(activation);
    case SY_OP_ATTENTION:
      return OfAttention(stored, operands) + Result(activation);
    case SY_OP_ROPE:
      // Angles of up to 4096 radians in f32 are off by half a unit in the last place: 1.2e-4. A
      // value of 5 root mean squares moves by 6e-4; taken twice. Most frequencies are far lower.
      return Tolerance{1.2e-3, 1e-8} + Result(activation);
    default:
      return kF32Arithmetic + Result(activation);
  }
}

Tolerance ToleranceOnRealActivations(sy_op_kind kind, DType activation, DType stored,
                                     Operands operands) {
  const Tolerance tolerance = ToleranceOf(kind, activation, stored, operands);
  // Measured on SmolLM2, activations in 15 bits with a scale for each 32: 6.6e-8 where random ones
  // give 1e-9. Noise of one part in a thousand, 1e-6, must stay above the bound.
  return IsProduct(kind) ? Tolerance{tolerance.max_error * 2, tolerance.nmse * 4} : tolerance;
}

Tolerance FarRopeTolerance(DType activation) {
  // As above with angles of up to 2^17 radians: off by up to 2^-8, and 5 times that.
  return Tolerance{0.04, 1e-5} + Result(activation);
}

Tolerance LayerTolerance(DType activation, DType weight, Operands operands) {
  // Four products in a row lie on the longest path, between them seven other steps. The residual
  // stream adds the results to an input without error, so errors grow no faster than their sum.
  return (Product(weight, operands) + Rounding(activation)) * 4 +
         (kF32Arithmetic + Rounding(activation)) * 7;
}

std::string_view ReasonFor(sy_op_kind kind, DType stored, Operands operands) {
  switch (kind) {
    case SY_OP_ROW_GATHER:
    case SY_OP_COPY:
    case SY_OP_TOP_K:
    case SY_OP_KV_STORE:
      return "moves values, rounding to nearest even: exact";
    case SY_OP_LINEAR:
    case SY_OP_GROUPED_LINEAR:
    case SY_OP_BATCHED_LINEAR:
      if (operands == Operands::kInt8 && tensor::IsQuantised(stored)) {
        return "activations may become int8 by blocks";
      }
      break;
    case SY_OP_ATTENTION:
      break;
    case SY_OP_ROPE:
      return "the angle may be an f32";
    case SY_OP_EMBEDDING:
      return "f32 arithmetic and one rounding; a quantised table may be of the activations' type";
    default:
      return "f32 arithmetic and one rounding";
  }
  switch (OperandType(stored, operands)) {
    case DType::kF16:
      return "operands may be rounded to f16, sums in any order";
    case DType::kBF16:
      return "operands may be rounded to bf16, sums in any order";
    default:
      return "f32 sums in any order";
  }
}

}  // namespace switchyard::ops
