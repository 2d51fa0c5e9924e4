// The example chip: a pretended card behind a pretended vendor's library (sdk/pretend.h), made with
// the kit as docs/bring_up.md tells. Step 2: memory, queues, events, and matrix products.
#include <algorithm>

#include "kit/device.h"
#include "kit/element_types.h"
#include "kit/weights.h"
#include "sdk/pretend.h"

namespace switchyard::chips {
namespace {

// The library's word as the interface's.
void Check(pretend::Result result, const char* doing) {
  if (result == pretend::Result::kOk) return;
  const sy_status status = result == pretend::Result::kOutOfMemory   ? SY_RESOURCE_EXHAUSTED
                           : result == pretend::Result::kBadArgument ? SY_INVALID_ARGUMENT
                                                                     : SY_INTERNAL;
  throw Failure(status, "%s: %s", doing, pretend::Text(result));
}

pretend::Type TypeOf(sy_dtype dtype) {
  if (dtype == SY_F16) return pretend::Type::kF16;
  return dtype == SY_F32 ? pretend::Type::kF32 : pretend::Type::kI32;
}

// The operand as the library describes tensors, in elements.
pretend::Tensor TensorOf(const Operand& operand) {
  const bool is_weight = operand.weight != nullptr;
  const sy_dtype dtype = is_weight ? operand.weight->dtype : operand.dtype();
  const std::int64_t element = FindElementType(dtype)->block_bytes;
  pretend::Tensor tensor;
  tensor.memory = operand.base;
  tensor.offset = static_cast<std::int64_t>(operand.offset_bytes) / element;
  tensor.type = TypeOf(dtype);
  tensor.rank = static_cast<int>(operand.tensor->rank);
  std::copy_n(operand.tensor->dims, tensor.rank, tensor.dims);
  for (int i = 0; i < tensor.rank; ++i) tensor.strides[i] = operand.tensor->strides[i] / element;
  if (is_weight && tensor.rank == 2) {
    tensor.strides[0] = static_cast<std::int64_t>(operand.weight->row_bytes) / element;
    tensor.strides[1] = 1;
  }
  return tensor;
}

class CardEvent : public Event {
 public:
  explicit CardEvent(pretend::Card* card) {
    Check(pretend::CreateEvent(card, &event_), "creating an event");
  }
  ~CardEvent() override { pretend::DestroyEvent(event_); }
  void Sync() override { Check(pretend::Synchronise(event_), "work before an event"); }
  pretend::Event* get() const { return event_; }

 private:
  pretend::Event* event_ = nullptr;
};

class CardQueue : public Queue {
 public:
  explicit CardQueue(pretend::Card* card) {
    Check(pretend::CreateStream(card, &stream_), "creating a stream");
  }
  ~CardQueue() override { pretend::DestroyStream(stream_); }

  void Upload(Address to, const void* from, std::uint64_t bytes) override {
    Check(pretend::CopyIn(stream_, to, from, bytes), "an upload");
  }
  void Download(void* to, Address from, std::uint64_t bytes) override {
    Check(pretend::CopyOut(stream_, to, from, bytes), "a download");
  }
  void Copy(Address to, Address from, std::uint64_t bytes) override {
    Check(pretend::CopyWithin(stream_, to, from, bytes), "a copy");
  }
  void Fill(Address to, std::uint8_t value, std::uint64_t bytes) override {
    Check(pretend::Fill(stream_, to, value, bytes), "a fill");
  }
  void Sync() override { Check(pretend::Synchronise(stream_), "a queue's work"); }
  void Record(Event& event) override {
    Check(pretend::Record(stream_, static_cast<CardEvent&>(event).get()), "recording an event");
  }
  void Wait(Event& event) override {
    Check(pretend::Wait(stream_, static_cast<CardEvent&>(event).get()), "waiting for an event");
  }

  void Run(const Operation& operation) override {
    const Operand& bias = operation.inputs[2];
    const pretend::Tensor bias_tensor = bias ? TensorOf(bias) : pretend::Tensor{};
    Check(pretend::Matmul(stream_, TensorOf(operation.inputs[0]), TensorOf(operation.inputs[1]),
                          bias ? &bias_tensor : nullptr, TensorOf(operation.outputs[0])),
          "a matrix product");
  }

 private:
  pretend::Stream* stream_ = nullptr;
};

class Card : public Device {
 public:
  explicit Card(std::uint32_t index) {
    Check(pretend::OpenCard(static_cast<int>(index), &card_), "opening the card");
  }
  ~Card() override { pretend::CloseCard(card_); }

  Address Allocate(std::uint64_t bytes) override {
    Address address = 0;
    Check(pretend::Allocate(card_, bytes, &address), "allocating card memory");
    return address;
  }
  void Free(Address address) noexcept override { pretend::Free(card_, address); }
  std::uint64_t AvailableBytes() override { return Sizes().first; }
  void Describe(sy_device_properties& properties) const override {
    properties.memory_bytes = Sizes().second;
  }

  WeightImage PrepareWeight(const sy_weight_desc& desc) const override {
    return desc.rank == 1 ? AsGiven(desc) : As16Bit(desc, SY_F16, pretend::kMatrixRowBytes);
  }

  std::string WhyNot(const Operation& operation) const override {
    if (operation.op.kind != SY_OP_LINEAR) return "the example chip multiplies matrices only";
    if (operation.inputs[0].dtype() != SY_F16) return "the card takes f16 activations only";
    if (operation.outputs[0].dtype() == SY_BF16) return "the card's results are f16 or f32";
    if (operation.inputs[1].dtype() == SY_F32)
      return "the card's matrices are f16, which f32 is not";
    return {};
  }

  std::unique_ptr<Queue> CreateQueue() override { return std::make_unique<CardQueue>(card_); }
  std::unique_ptr<Event> CreateEvent() override { return std::make_unique<CardEvent>(card_); }

 private:
  // Free and all.
  std::pair<std::uint64_t, std::uint64_t> Sizes() const {
    std::pair<std::uint64_t, std::uint64_t> sizes;
    Check(pretend::MemorySizes(card_, &sizes.first, &sizes.second), "asking for memory sizes");
    return sizes;
  }

  pretend::Card* card_ = nullptr;
};

std::uint32_t CountCards() { return static_cast<std::uint32_t>(pretend::CardCount()); }

void DescribeCard(std::uint32_t /*index*/, sy_device_properties& properties) {
  SetText(properties.name, "Pretended card (simulated)");
  SetText(properties.maker, "Switchyard's example");
  SetText(properties.architecture, "f16");
  properties.memory_bytes = std::uint64_t{4} << 30;
  properties.alignment_bytes = pretend::kAlignmentBytes;
  properties.kv_page_multiple = pretend::kPageMultiple;
  properties.unit_count = 1;
  properties.proof = SY_PROOF_RUN_ON_EMULATOR;
}

std::unique_ptr<Device> OpenCard(std::uint32_t index, Options& /*options*/) {
  return std::make_unique<Card>(index);
}

}  // namespace

const Chip kChip = {"example", CountCards, DescribeCard, OpenCard};

}  // namespace switchyard::chips
