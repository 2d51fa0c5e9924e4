#include "kit/objects.h"

#include <algorithm>

#include "kit/element_types.h"
#include "kit/program_check.h"
#include "kit/weights.h"

namespace switchyard::chips {

Memory::Memory(sy_device& owner, std::uint64_t bytes) : owner_(owner.device.get()), bytes_(bytes) {
  if (bytes > owner.properties.memory_bytes) {
    throw Failure(SY_RESOURCE_EXHAUSTED, "%llu bytes were asked for; the device has %llu in all",
                  static_cast<unsigned long long>(bytes),
                  static_cast<unsigned long long>(owner.properties.memory_bytes));
  }
  if (bytes > 0) address_ = owner_->Allocate(bytes);
}

Memory::~Memory() {
  if (address_ != 0) owner_->Free(address_);
}

void Queue::Run(const Operation& /*operation*/) {
  throw Failure(SY_INTERNAL, "the chip agreed to an operation, but its queues run none");
}

void* Device::HostAddress(Address /*address*/) {
  throw Failure(SY_UNIMPLEMENTED, "this device's memory cannot be mapped");
}

WeightImage Device::PrepareWeight(const sy_weight_desc& desc) const { return AsGiven(desc); }

double Device::MeasureCeiling(sy_ceiling /*ceiling*/, sy_dtype /*dtype*/) {
  throw Failure(SY_UNIMPLEMENTED, "this chip does not measure its device");
}

}  // namespace switchyard::chips

using namespace switchyard::chips;  // the handles' types are the interface's, outside of it

sy_weight::sy_weight(sy_device* owner, const sy_weight_desc& given) : device(owner), desc(given) {
  CheckWeight(given);
  desc.data = nullptr;
  WeightImage image = owner->device->PrepareWeight(given);
  memory = std::make_unique<Memory>(*owner, image.bytes.size());
  prepared = {image.dtype, image.row_bytes, memory->address()};
  layout = std::move(image.layout);
  const std::lock_guard<std::mutex> lock(owner->upload_mutex);
  if (owner->upload_queue == nullptr) owner->upload_queue = owner->device->CreateQueue();
  owner->upload_queue->Upload(prepared.address, image.bytes.data(), image.bytes.size());
  owner->upload_queue->Sync();
}

namespace {

std::uint64_t RoundUp(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

void CheckWeightOf(const sy_tensor& tensor, std::size_t index, const sy_device* device) {
  const sy_weight* weight = tensor.weight;
  if (weight == nullptr || weight->device != device || weight->desc.dtype != tensor.dtype ||
      weight->desc.rank != tensor.rank ||
      !std::equal(tensor.dims, tensor.dims + tensor.rank, weight->desc.dims)) {
    throw Failure(SY_INVALID_ARGUMENT,
                  "tensor %zu has no weight, or one of another device, type or shape", index);
  }
}

}  // namespace

sy_program::sy_program(sy_device* owner, const sy_program_desc& desc)
    : device(owner),
      tensors(desc.tensors, desc.tensors + desc.tensor_count),
      ops(desc.ops, desc.ops + desc.op_count),
      slot_count(desc.slot_count) {
  CheckProgram(tensors, ops, slot_count);
  std::uint64_t scratch_bytes = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Operation operation = FindOperation(tensors, ops[i]);
    if (const std::string reason = owner->device->WhyNot(operation); !reason.empty()) {
      throw Failure(SY_UNIMPLEMENTED, "op %zu: %s", i, reason.c_str());
    }
    scratch_bytes = std::max(scratch_bytes, owner->device->ScratchBytes(operation));
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].storage == SY_STORAGE_WEIGHT) CheckWeightOf(tensors[i], i, owner);
  }
  const std::uint64_t alignment = owner->properties.alignment_bytes;
  sy_program_desc checked = desc;
  checked.tensors = tensors.data();
  checked.ops = ops.data();
  placement = PlaceTemporaries(checked, alignment);
  placement.workspace_bytes = RoundUp(placement.workspace_bytes, alignment);
  workspace_bytes = placement.workspace_bytes + scratch_bytes;
}

Address sy_program::AddressOfSlot(const sy_tensor& tensor,
                                  const std::vector<sy_binding>& bindings) const {
  const sy_binding& binding = bindings[tensor.slot];
  if (binding.buffer == nullptr || binding.buffer->device != device) {
    throw Failure(SY_INVALID_ARGUMENT, "slot %u is bound to no buffer of this device", tensor.slot);
  }
  const std::uint64_t size = binding.buffer->memory.bytes();
  const std::uint64_t span = SpanBytes(tensor);
  const std::uint64_t alignment = device->properties.alignment_bytes;
  if (binding.offset_bytes > size || span > size - binding.offset_bytes ||
      binding.offset_bytes % alignment != 0) {
    throw Failure(
        SY_INVALID_ARGUMENT,
        "slot %u wants %llu bytes at a multiple of %llu, but is bound at byte %llu of %llu",
        tensor.slot, static_cast<unsigned long long>(span),
        static_cast<unsigned long long>(alignment),
        static_cast<unsigned long long>(binding.offset_bytes),
        static_cast<unsigned long long>(size));
  }
  return binding.buffer->memory.address() + binding.offset_bytes;
}

void sy_program::Run(const std::vector<sy_binding>& bindings, const sy_buffer* workspace,
                     std::uint64_t workspace_offset, Queue& queue) const {
  if (bindings.size() < slot_count) {
    throw Failure(SY_INVALID_ARGUMENT, "%zu slots are bound, but the program has %u",
                  bindings.size(), slot_count);
  }
  Address temporaries = 0;
  if (workspace_bytes > 0) {
    if (workspace == nullptr || workspace->device != device ||
        workspace_offset > workspace->memory.bytes() ||
        workspace_bytes > workspace->memory.bytes() - workspace_offset ||
        workspace_offset % device->properties.alignment_bytes != 0) {
      throw Failure(SY_INVALID_ARGUMENT, "the program wants %llu bytes of aligned workspace",
                    static_cast<unsigned long long>(workspace_bytes));
    }
    temporaries = workspace->memory.address() + workspace_offset;
  }
  std::vector<Operand> operands(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const sy_tensor& tensor = tensors[i];
    Operand& operand = operands[i];
    operand.tensor = &tensor;
    if (tensor.storage == SY_STORAGE_WEIGHT) {
      operand.weight = &tensor.weight->prepared;
      operand.base = operand.weight->address;
    } else if (tensor.storage == SY_STORAGE_TEMPORARY) {
      operand.base = temporaries + placement.offsets[i];
    } else if (tensor.storage == SY_STORAGE_ARGUMENT) {
      operand.base = AddressOfSlot(tensor, bindings);
      operand.host_copy = bindings[tensor.slot].host_copy;
    }
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].storage != SY_STORAGE_VIEW) continue;
    operands[i].base = operands[tensors[i].base].base;
    operands[i].offset_bytes = tensors[i].offset_bytes;
  }
  for (const sy_op& op : ops) {
    Operation operation{};
    operation.op = op;
    operation.scratch = temporaries + placement.workspace_bytes;
    for (int i = 0; i < SY_MAX_INPUTS; ++i) {
      if (op.inputs[i] != SY_NO_TENSOR) operation.inputs[i] = operands[op.inputs[i]];
    }
    for (int i = 0; i < SY_MAX_OUTPUTS; ++i) {
      if (op.outputs[i] != SY_NO_TENSOR) operation.outputs[i] = operands[op.outputs[i]];
    }
    queue.Run(operation);
  }
}
