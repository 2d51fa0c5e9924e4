// A program: an operation list turned into stages once, and run many times.
#pragma once

#include <memory>
#include <vector>

#include "operand.h"
#include "stage.h"
#include "status.h"

namespace switchyard::cpu {

// What the planner makes of an operation list.
struct Plan {
  std::vector<std::unique_ptr<Stage>> stages;
  std::vector<Root> roots;
  std::vector<std::int64_t> workspace_offsets;  // of temporaries; -1 for arguments
  std::int64_t workspace_bytes = 0;
  std::int64_t scratch_offset = 0;  // of the threads' scratch, in the workspace
  std::int64_t scratch_bytes = 0;   // of each thread
  std::uint32_t slot_count = 0;
};

Result<Plan> MakePlan(sy_device* device, const sy_program_desc& desc);

// 1 yes, else the reason.
Status IsSupported(const sy_program_desc& desc, std::uint32_t op);

}  // namespace switchyard::cpu

struct sy_program {
  sy_device* device = nullptr;
  switchyard::cpu::Plan plan;
};

namespace switchyard::cpu {

Status RunProgram(sy_program& program, const sy_binding* bindings, std::uint32_t binding_count,
                  sy_buffer* workspace, std::uint64_t workspace_offset);

}  // namespace switchyard::cpu
