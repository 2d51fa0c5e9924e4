// What this chip asks of each operation: one row of a table an operation, used both to answer
// op_supported and before a program is planned.
#pragma once

#include "operand.h"
#include "status.h"

namespace switchyard::cpu {

// One operation with its operands found. Absent inputs are null.
struct OpView {
  const sy_op* op = nullptr;
  const Operand* inputs[SY_MAX_INPUTS] = {};
  const Operand* outputs[SY_MAX_OUTPUTS] = {};
  const Operand& in(int i) const { return *inputs[i]; }
  const Operand& out(int i = 0) const { return *outputs[i]; }
};

const char* OpName(sy_op_kind kind);

// Finds operation `index` and checks kinds, types, dims and attributes, not weights' presence.
Result<OpView> CheckOp(const sy_program_desc& desc, const Operands& operands, std::uint32_t index);

// Also that each weight is there and is what its tensor says.
Status CheckWeights(const OpView& view, const sy_device* device);

}  // namespace switchyard::cpu
