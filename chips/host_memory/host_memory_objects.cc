#include "host_memory_objects.h"

#include <algorithm>
#include <cstring>

#include "kit/struct_array.h"
#include "kit/temporary_placement.h"
#include "machine_memory.h"
#include "ops/op_rules.h"
#include "ops/tensor_span.h"
#include "tensor/dtype.h"

namespace base = switchyard::base;
namespace chips = switchyard::chips;
namespace ops = switchyard::ops;
namespace tensor = switchyard::tensor;
using base::ErrorCode;
using base::Fail;

base::Result<chips::AlignedMemory> sy_device::Allocate(std::uint64_t bytes) {
  SWITCHYARD_RETURN_IF_ERROR(hooks->OnAllocate());
  const std::uint64_t available = chips::MachineMemoryAvailableBytes();
  if (bytes > available) {
    return Fail(ErrorCode::kResourceExhausted, "{} bytes were asked for, but only {} are free",
                bytes, available);
  }
  const std::uint64_t rounded = std::max(bytes, std::uint64_t{1}) + chips::kAlignmentBytes - 1;
  chips::AlignedMemory memory(static_cast<std::byte*>(std::aligned_alloc(
      chips::kAlignmentBytes, rounded / chips::kAlignmentBytes * chips::kAlignmentBytes)));
  if (!memory) return Fail(ErrorCode::kResourceExhausted, "the system refused {} bytes", bytes);
  return memory;
}

base::Result<std::unique_ptr<sy_weight>> sy_weight::Create(sy_device* device,
                                                           const sy_weight_desc& desc) {
  const tensor::DTypeTraits* traits = tensor::FindTraits(desc.dtype);
  if (traits == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "a weight has type {}, which is none", desc.dtype);
  }
  if (desc.rank < 1 || desc.rank > SY_MAX_RANK) {
    return Fail(ErrorCode::kInvalidArgument, "a weight has rank {}; it must be 1 to {}", desc.rank,
                SY_MAX_RANK);
  }
  std::uint64_t bytes = 0;
  for (std::uint32_t i = desc.rank; i-- > 0;) {
    if (desc.dims[i] < 1) {
      return Fail(ErrorCode::kInvalidArgument, "a weight has dim {} = {}; it must be at least 1", i,
                  desc.dims[i]);
    }
    if (i + 1 == desc.rank) {
      SWITCHYARD_TRY(bytes, tensor::RowBytes(traits->dtype, desc.dims[i]));
    } else if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(desc.dims[i]), &bytes)) {
      return Fail(ErrorCode::kInvalidArgument, "a weight's bytes overflow 64 bits");
    }
  }
  if (desc.data == nullptr || bytes != desc.data_bytes) {
    return Fail(ErrorCode::kInvalidArgument,
                "a weight has {} bytes of data at {}; its dims want {}", desc.data_bytes, desc.data,
                bytes);
  }
  auto weight = std::make_unique<sy_weight>();
  weight->device = device;
  weight->desc = desc;
  weight->desc.data = nullptr;
  SWITCHYARD_TRY(weight->memory, device->Allocate(bytes));
  std::memcpy(weight->memory.get(), desc.data, bytes);
  return weight;
}

base::Result<std::unique_ptr<sy_program>> sy_program::Create(sy_device* device,
                                                             const sy_program_desc& desc) {
  SWITCHYARD_RETURN_IF_ERROR(ops::Validate(desc));
  auto program = std::make_unique<sy_program>();
  program->device = device;
  program->tensors.assign(desc.tensors, desc.tensors + desc.tensor_count);
  program->ops.assign(desc.ops, desc.ops + desc.op_count);
  program->slot_count = desc.slot_count;
  for (std::size_t i = 0; i < program->ops.size(); ++i) {
    const sy_op& op = program->ops[i];
    if (const std::string reason = device->hooks->WhyUnsupported(op, program->tensors);
        !reason.empty()) {
      return Fail(ErrorCode::kUnimplemented, "op {} ({}): {}", i, ops::OpName(op.kind), reason);
    }
    for (const std::uint32_t output : op.outputs) {
      if (output == SY_NO_TENSOR) continue;
      const std::uint32_t root = ops::RootOf(program->tensors.data(), output);
      if (program->tensors[root].storage == SY_STORAGE_ARGUMENT) program->results.push_back(output);
    }
  }
  for (std::size_t i = 0; i < program->tensors.size(); ++i) {
    const sy_tensor& tensor = program->tensors[i];
    if (tensor.storage != SY_STORAGE_WEIGHT) continue;
    if (tensor.weight == nullptr) {
      return Fail(ErrorCode::kInvalidArgument, "tensor {} is a weight but has none", i);
    }
    const sy_weight_desc& weight = tensor.weight->desc;
    if (tensor.weight->device != device || weight.dtype != tensor.dtype ||
        weight.rank != tensor.rank ||
        !std::equal(weight.dims, weight.dims + weight.rank, tensor.dims)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "tensor {}'s weight is of another device, type or shape", i);
    }
  }
  chips::TemporaryPlacement placement = chips::PlaceTemporaries(desc, chips::kAlignmentBytes);
  program->temporary_offsets = std::move(placement.offsets);
  program->workspace_bytes = placement.workspace_bytes;
  return program;
}

base::Status sy_program::Locate(const std::vector<sy_binding>& bindings, std::byte* workspace,
                                std::vector<std::byte*>& addresses) const {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const sy_tensor& tensor = tensors[i];
    if (tensor.storage == SY_STORAGE_WEIGHT) {
      addresses[i] = tensor.weight->memory.get();
    } else if (tensor.storage == SY_STORAGE_TEMPORARY) {
      addresses[i] = workspace + temporary_offsets[i];
    } else if (tensor.storage == SY_STORAGE_ARGUMENT) {
      const sy_binding& binding = bindings[tensor.slot];
      if (binding.buffer == nullptr || binding.buffer->device != device) {
        return Fail(ErrorCode::kInvalidArgument, "slot {} is bound to no buffer of this device",
                    tensor.slot);
      }
      const std::uint64_t size = binding.buffer->bytes;
      const std::uint64_t span = ops::SpanBytes(tensor);
      if (binding.offset_bytes > size || span > size - binding.offset_bytes ||
          binding.offset_bytes % chips::kAlignmentBytes != 0) {
        return Fail(ErrorCode::kInvalidArgument,
                    "slot {} wants {} bytes at a multiple of {}, but is bound at byte {} of {}",
                    tensor.slot, span, chips::kAlignmentBytes, binding.offset_bytes, size);
      }
      addresses[i] = binding.buffer->memory.get() + binding.offset_bytes;
    }
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].storage != SY_STORAGE_VIEW) continue;
    addresses[i] = addresses[tensors[i].base] + tensors[i].offset_bytes;
  }
  return {};
}

base::Status sy_program::Run(const std::vector<sy_binding>& bindings, const sy_buffer* workspace,
                             std::uint64_t workspace_offset) const {
  if (bindings.size() < slot_count) {
    return Fail(ErrorCode::kInvalidArgument, "{} slots are bound, but the program has {}",
                bindings.size(), slot_count);
  }
  std::byte* workspace_address = nullptr;
  if (workspace_bytes > 0) {
    if (workspace == nullptr || workspace->device != device ||
        workspace_offset > workspace->bytes ||
        workspace_bytes > workspace->bytes - workspace_offset) {
      return Fail(ErrorCode::kInvalidArgument, "the program wants {} bytes of workspace",
                  workspace_bytes);
    }
    workspace_address = workspace->memory.get() + workspace_offset;
  }
  std::vector<std::byte*> addresses(tensors.size());
  SWITCHYARD_RETURN_IF_ERROR(Locate(bindings, workspace_address, addresses));
  SWITCHYARD_RETURN_IF_ERROR(device->hooks->OnRunBegin());
  const auto operand = [&](std::uint32_t index) {
    if (index == SY_NO_TENSOR) return ops::reference::Operand{};
    return ops::reference::Operand{&tensors[index], addresses[index]};
  };
  for (const sy_op& op : ops) {
    ops::reference::Call call{op, {}, {}};
    std::ranges::transform(op.inputs, call.inputs.begin(), operand);
    std::ranges::transform(op.outputs, call.outputs.begin(), operand);
    SWITCHYARD_RETURN_IF_ERROR(device->hooks->Compute(call));
  }
  std::vector<ops::reference::Operand> outputs(results.size());
  std::ranges::transform(results, outputs.begin(), operand);
  device->hooks->OnRunEnd(outputs);
  return {};
}
