// The truth of every operation: plain scalar code that a reader can check against chip.h. Weights
// are dequantised to f32 and activations stay f32; sums and transcendental functions are computed
// in double and rounded to f32 once, so that the truth's own error is far below any chip's.
//
// Pure but for the outputs; safe from several threads on different outputs.
#pragma once

#include <array>

#include "base/error.h"
#include "ops/reference/operand.h"
#include "switchyard/chip.h"

namespace switchyard::ops::reference {

struct Call {
  sy_op op;
  std::array<Operand, SY_MAX_INPUTS> inputs;  // absent ones are not present()
  std::array<Operand, SY_MAX_OUTPUTS> outputs;
};

// The operation must have passed Validate. kInvalidArgument if an index that it reads from memory
// (a token id, a slot, a page, an expert, a row) is out of range; outputs are then undefined.
base::Status Run(const Call& call);

}  // namespace switchyard::ops::reference
