// The example chip: a pretended card behind a pretended vendor's library (sdk/pretend.h), made with
// the kit as docs/bring_up.md tells. Step 1: memory, queues and events.
#include "kit/device.h"
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
