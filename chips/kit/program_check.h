// What a program's description must be before the kit trusts it. The host checks shapes and types
// of operations itself; here only that nothing leads outside of anything.
#pragma once

#include <vector>

#include "kit/device.h"

namespace switchyard::chips {

// Fails, naming the tensor or operation, unless each tensor is well-formed and each index is one.
// Makes dense what is always dense, whatever its strides say: weights and KV pages.
void CheckProgram(std::vector<sy_tensor>& tensors, const std::vector<sy_op>& ops,
                  std::uint32_t slot_count);

// The operation with its operands' tensors found and no addresses, as support is asked with.
Operation FindOperation(const std::vector<sy_tensor>& tensors, const sy_op& op);

}  // namespace switchyard::chips
