#include "program.h"

#include <algorithm>

#include "ops/op_rules.h"

namespace base = switchyard::base;
namespace simt = switchyard::simt;
namespace opencl = switchyard::opencl;
using base::ErrorCode;
using base::Fail;
using opencl::Check;

namespace {

// Each weight must be there, of this device, and what its tensor says.
base::Status CheckWeights(const sy_device* device, const sy_program_desc& desc) {
  for (std::uint32_t op = 0; op < desc.op_count; ++op) {
    for (const std::uint32_t index : desc.ops[op].inputs) {
      if (index == SY_NO_TENSOR || desc.tensors[index].storage != SY_STORAGE_WEIGHT) continue;
      const sy_tensor& tensor = desc.tensors[index];
      if (tensor.weight == nullptr) {
        return Fail(ErrorCode::kInvalidArgument, "op {} ({}): tensor {} has no weight", op,
                    switchyard::ops::OpName(desc.ops[op].kind), index);
      }
      simt::WeightShape wanted{tensor.dtype, tensor.rank, {1, 1, 1, 1}};
      std::copy_n(tensor.dims, tensor.rank, wanted.dims);
      if (tensor.weight->device != device || !(tensor.weight->shape == wanted)) {
        return Fail(ErrorCode::kInvalidArgument,
                    "op {} ({}): the weight of tensor {} is of another device, type or shape", op,
                    switchyard::ops::OpName(desc.ops[op].kind), index);
      }
    }
  }
  return {};
}

}  // namespace

base::Result<std::unique_ptr<sy_program>> sy_program::Create(sy_device* device,
                                                             const sy_program_desc& desc) {
  auto made = std::make_unique<sy_program>();
  made->device = device;
  SWITCHYARD_TRY(made->plan, simt::MakePlan(desc, {.linear_lanes = device->options.linear_lanes,
                                                   .rows_of_lane = device->options.rows_of_lane,
                                                   .alignment = opencl::kAlignment}));
  SWITCHYARD_RETURN_IF_ERROR(CheckWeights(device, desc));
  for (const simt::Launch& launch : made->plan.launches) {
    SWITCHYARD_TRY(const cl_program program, device->ProgramWith(launch.kernel, launch.format));
    const std::string name(simt::KernelName(launch.kernel));
    Step step;
    cl_int result = CL_SUCCESS;
    step.kernel = opencl::HeldKernel(clCreateKernel(program, name.c_str(), &result));
    SWITCHYARD_RETURN_IF_ERROR(Check(result, "finding kernel " + name));
    const std::uint32_t lanes = device->LanesOf(launch.kernel);
    std::size_t most_lanes = lanes;
    clGetKernelWorkGroupInfo(step.kernel.get(), device->found->id, CL_KERNEL_WORK_GROUP_SIZE,
                             sizeof most_lanes, &most_lanes, nullptr);
    if (most_lanes < lanes) {
      return Fail(ErrorCode::kResourceExhausted,
                  "kernel {} runs in groups of at most {} here, not {}; set option {}", name,
                  most_lanes, lanes,
                  simt::ReadsBlocks(launch.kernel) ? "linear_lanes" : "row_lanes");
    }
    step.local[0] = lanes;
    step.global[0] = launch.groups_x * lanes;
    step.global[1] = launch.groups_y;
    step.offsets.resize(launch.places.size(), -1);
    SWITCHYARD_RETURN_IF_ERROR(
        Check(clSetKernelArg(step.kernel.get(), static_cast<cl_uint>(2 * launch.places.size()),
                             launch.parameters.size(), launch.parameters.data()),
              "setting the parameters of " + name));
    made->steps_.push_back(std::move(step));
  }
  return made;
}

base::Status sy_program::CheckBindings(const sy_binding* bindings, std::uint32_t binding_count,
                                       const sy_buffer* workspace,
                                       std::uint64_t workspace_offset) const {
  if (binding_count < plan.slot_bytes.size() || (binding_count > 0 && bindings == nullptr)) {
    return Fail(ErrorCode::kInvalidArgument, "{} bindings for {} slots", binding_count,
                plan.slot_bytes.size());
  }
  for (std::size_t slot = 0; slot < plan.slot_bytes.size(); ++slot) {
    if (plan.slot_bytes[slot] == 0) continue;
    const sy_binding& binding = bindings[slot];
    if (binding.buffer == nullptr || binding.buffer->device != device) {
      return Fail(ErrorCode::kInvalidArgument, "slot {} is bound to no buffer of this device",
                  slot);
    }
    const std::uint64_t bytes = binding.buffer->memory.bytes();
    if (binding.offset_bytes > bytes || bytes - binding.offset_bytes < plan.slot_bytes[slot]) {
      return Fail(ErrorCode::kInvalidArgument,
                  "slot {} is bound at byte {} of a buffer of {}; the program reaches {} beyond",
                  slot, binding.offset_bytes, bytes, plan.slot_bytes[slot]);
    }
    if (binding.offset_bytes % opencl::kAlignment != 0) {
      return Fail(ErrorCode::kInvalidArgument, "slot {} is bound at byte {}, no multiple of {}",
                  slot, binding.offset_bytes, opencl::kAlignment);
    }
  }
  if (plan.workspace_bytes == 0) return {};
  if (workspace == nullptr || workspace->device != device ||
      workspace_offset % opencl::kAlignment != 0 || workspace_offset > workspace->memory.bytes() ||
      workspace->memory.bytes() - workspace_offset < plan.workspace_bytes) {
    return Fail(ErrorCode::kInvalidArgument,
                "the workspace has fewer than the {} bytes needed, at a multiple of {}",
                plan.workspace_bytes, opencl::kAlignment);
  }
  return {};
}

base::Status sy_program::Run(const sy_binding* bindings, std::uint32_t binding_count,
                             sy_buffer* workspace, std::uint64_t workspace_offset,
                             sy_queue* queue) {
  SWITCHYARD_RETURN_IF_ERROR(CheckBindings(bindings, binding_count, workspace, workspace_offset));
  SWITCHYARD_RETURN_IF_ERROR(simt::CheckSequences(plan, bindings));
  ++device->runs;
  // A kernel object holds its arguments until it is enqueued.
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    const simt::Launch& launch = plan.launches[i];
    for (std::size_t a = 0; a < step.offsets.size(); ++a) {
      const simt::MemoryPlace& place = launch.places[a];
      cl_mem memory = nullptr;
      auto offset = static_cast<cl_long>(place.offset);
      switch (place.kind) {
        case simt::MemoryKind::kWorkspace:
          memory = workspace->memory.get();
          offset += static_cast<cl_long>(workspace_offset);
          break;
        case simt::MemoryKind::kSlot:
          memory = bindings[place.slot].buffer->memory.get();
          offset += static_cast<cl_long>(bindings[place.slot].offset_bytes);
          break;
        case simt::MemoryKind::kWeight:
          memory = place.weight->memory.get();
          break;
      }
      const auto index = static_cast<cl_uint>(2 * a);
      // The memory is set each time: a buffer's handle may be that of one that was destroyed.
      SWITCHYARD_RETURN_IF_ERROR(Check(
          clSetKernelArg(step.kernel.get(), index, sizeof memory, &memory), "setting a buffer"));
      if (step.offsets[a] != offset) {
        SWITCHYARD_RETURN_IF_ERROR(
            Check(clSetKernelArg(step.kernel.get(), index + 1, sizeof offset, &offset),
                  "setting an offset"));
        step.offsets[a] = offset;
      }
    }
    SWITCHYARD_RETURN_IF_ERROR(
        Check(device->EnqueueKernel(queue->queue.get(), step.kernel.get(), step.global, step.local),
              fmt::format("enqueuing {}", simt::KernelName(launch.kernel))));
  }
  return Check(clFlush(queue->queue.get()), "starting the work");
}
