#include "certify/bound_program.h"

#include <algorithm>

#include "ops/tensor_span.h"

namespace switchyard::certify {

base::Result<std::unique_ptr<BoundProgram>> BoundProgram::Create(
    const ops::OpList& list, std::span<const SlotContents> slots, device::WeightTable& weights,
    const device::Target& target, device::KvHome kv_home) {
  std::unique_ptr<BoundProgram> bound(new BoundProgram(target));
  SWITCHYARD_TRY(bound->program_, device::Program::Create(list, weights, target, kv_home));
  bound->bytes_.resize(list.slot_count());
  bound->buffers_.resize(list.slot_count());
  bound->arguments_.resize(list.slot_count());
  for (const sy_tensor& tensor : list.tensors()) {
    if (tensor.storage != SY_STORAGE_ARGUMENT) continue;
    bound->bytes_[tensor.slot] = ops::SpanBytes(tensor);
  }
  for (std::uint32_t slot = 0; slot < list.slot_count(); ++slot) {
    const SlotContents& contents = slots[slot];
    device::Argument& argument = bound->arguments_[slot];
    if (contents.pages != nullptr) {
      argument = {contents.pages, 0, nullptr};
      continue;
    }
    SWITCHYARD_TRY(
        bound->buffers_[slot],
        device::Buffer::Create(*target.chip, std::max<std::uint64_t>(bound->bytes_[slot], 1)));
    argument = {&bound->buffers_[slot], 0,
                contents.bytes.empty() ? nullptr : contents.bytes.data()};
    if (contents.bytes.empty()) continue;
    SWITCHYARD_CHECK(contents.bytes.size() == bound->bytes_[slot]);
    SWITCHYARD_RETURN_IF_ERROR(target.queue->Upload(bound->buffers_[slot], 0, contents.bytes.data(),
                                                    contents.bytes.size()));
  }
  SWITCHYARD_RETURN_IF_ERROR(target.queue->Sync());
  return bound;
}

base::Status BoundProgram::Run() {
  SWITCHYARD_RETURN_IF_ERROR(program_->Run(arguments_));
  if (target_.fallback != nullptr) SWITCHYARD_RETURN_IF_ERROR(target_.fallback_queue->Sync());
  return target_.queue->Sync();
}

base::Result<std::vector<std::byte>> BoundProgram::Read(std::uint32_t slot) {
  std::vector<std::byte> contents(bytes_[slot]);
  SWITCHYARD_RETURN_IF_ERROR(
      target_.queue->Download(contents.data(), buffers_[slot], 0, contents.size()));
  SWITCHYARD_RETURN_IF_ERROR(target_.queue->Sync());
  return contents;
}

}  // namespace switchyard::certify
