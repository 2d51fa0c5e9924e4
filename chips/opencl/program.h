// A plan with its kernels: made by program_create, run by program_run. Runs of one program may
// overlap in time on several queues; enqueuing them takes turns.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "objects.h"
#include "plan.h"

struct sy_program {
  sy_device* device = nullptr;
  switchyard::simt::Plan plan;

  // Structs of `desc` must be of this side's size.
  static switchyard::base::Result<std::unique_ptr<sy_program>> Create(sy_device* device,
                                                                      const sy_program_desc& desc);
  // Enqueues everything and returns.
  switchyard::base::Status Run(const sy_binding* bindings, std::uint32_t binding_count,
                               sy_buffer* workspace, std::uint64_t workspace_offset,
                               sy_queue* queue);

 private:
  struct Step {
    switchyard::opencl::HeldKernel kernel;
    std::size_t global[2] = {1, 1};
    std::size_t local[2] = {1, 1};
    std::vector<cl_long> offsets;  // as last set, so that they need not be set again
  };

  switchyard::base::Status CheckBindings(const sy_binding* bindings, std::uint32_t binding_count,
                                         const sy_buffer* workspace,
                                         std::uint64_t workspace_offset) const;

  std::vector<Step> steps_;
  std::mutex mutex_;
};
