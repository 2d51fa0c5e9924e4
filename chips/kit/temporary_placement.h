// Where each temporary of a program lies in the workspace: temporaries that are never alive at the
// same time share memory. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "switchyard/chip.h"

namespace switchyard::chips {

struct TemporaryPlacement {
  std::vector<std::uint64_t> offsets;  // by tensor; meaningful for temporaries that are used
  std::uint64_t workspace_bytes = 0;
};

// The program must be valid, its structs those of this side's chip.h. Each temporary begins at a
// multiple of `alignment`.
TemporaryPlacement PlaceTemporaries(const sy_program_desc& desc, std::uint64_t alignment);

}  // namespace switchyard::chips
