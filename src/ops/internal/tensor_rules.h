// The rules that a program's tensors must obey whatever operation uses them. Part of Validate.
#pragma once

#include <string>

#include "base/error.h"
#include "switchyard/chip.h"

namespace switchyard::ops::internal {

// "[3, 64]"
std::string DimsText(const sy_tensor& tensor);

// Types, dims, strides, slots and views of every tensor of `desc`.
base::Status CheckTensors(const sy_program_desc& desc);

}  // namespace switchyard::ops::internal
