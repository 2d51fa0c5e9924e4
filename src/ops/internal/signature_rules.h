// Whether one operation's tensors and attributes fit its signature. Part of Validate.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "ops/internal/signatures.h"
#include "switchyard/chip.h"

namespace switchyard::ops::internal {

// Types, storages, ranks and dims of every place, and each attribute. `desc` must have passed
// CheckTensors.
base::Status CheckSignature(const sy_program_desc& desc, std::uint32_t op,
                            const Signature& signature);

}  // namespace switchyard::ops::internal
