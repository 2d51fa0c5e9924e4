// The shape and type rules of every operation, as chip.h states them: what a well-formed program
// is. A device checks a program against these before any chip sees it. Pure; safe from any thread.
#pragma once

#include <string_view>

#include "base/error.h"
#include "switchyard/chip.h"

namespace switchyard::ops {

// "rms_norm"; "unknown" for a number that is no operation.
std::string_view OpName(sy_op_kind kind);
// With a weight matrix, or with one of several.
constexpr bool IsProduct(sy_op_kind kind) {
  return kind == SY_OP_LINEAR || kind == SY_OP_GROUPED_LINEAR || kind == SY_OP_BATCHED_LINEAR;
}

// kInvalidArgument names the operation, its place in the list and the rule that it breaks.
base::Status Validate(const sy_program_desc& desc);

}  // namespace switchyard::ops
