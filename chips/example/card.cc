#include "card.h"

namespace switchyard::chips {

void Check(pretend::Result result, const char* doing) {
  if (result == pretend::Result::kOk) return;
  const sy_status status = result == pretend::Result::kOutOfMemory   ? SY_RESOURCE_EXHAUSTED
                           : result == pretend::Result::kBadArgument ? SY_INVALID_ARGUMENT
                                                                     : SY_INTERNAL;
  throw Failure(status, "%s: %s", doing, pretend::Text(result));
}

CardEvent::CardEvent(pretend::Card* card) {
  Check(pretend::CreateEvent(card, &event_), "creating an event");
}

void CardEvent::Sync() { Check(pretend::Synchronise(event_), "work before an event"); }

CardQueue::CardQueue(pretend::Card* card) {
  Check(pretend::CreateStream(card, &stream_), "creating a stream");
}

void CardQueue::Upload(Address to, const void* from, std::uint64_t bytes) {
  Check(pretend::CopyIn(stream_, to, from, bytes), "an upload");
}

void CardQueue::Download(void* to, Address from, std::uint64_t bytes) {
  Check(pretend::CopyOut(stream_, to, from, bytes), "a download");
}

void CardQueue::Copy(Address to, Address from, std::uint64_t bytes) {
  Check(pretend::CopyWithin(stream_, to, from, bytes), "a copy");
}

void CardQueue::Fill(Address to, std::uint8_t value, std::uint64_t bytes) {
  Check(pretend::Fill(stream_, to, value, bytes), "a fill");
}

void CardQueue::Sync() { Check(pretend::Synchronise(stream_), "a queue's work"); }

void CardQueue::Record(Event& event) {
  Check(pretend::Record(stream_, static_cast<CardEvent&>(event).get()), "recording an event");
}

void CardQueue::Wait(Event& event) {
  Check(pretend::Wait(stream_, static_cast<CardEvent&>(event).get()), "waiting for an event");
}

Card::Card(std::uint32_t index) {
  Check(pretend::OpenCard(static_cast<int>(index), &card_), "opening the card");
}

void Card::Describe(sy_device_properties& properties) const {
  std::uint64_t free_bytes = 0;
  Check(pretend::MemorySizes(card_, &free_bytes, &properties.memory_bytes), "asking for sizes");
}

Address Card::Allocate(std::uint64_t bytes) {
  Address address = 0;
  Check(pretend::Allocate(card_, bytes, &address), "allocating card memory");
  return address;
}

std::uint64_t Card::AvailableBytes() {
  std::uint64_t free_bytes = 0;
  std::uint64_t all_bytes = 0;
  Check(pretend::MemorySizes(card_, &free_bytes, &all_bytes), "asking for memory sizes");
  return free_bytes;
}

namespace {

std::uint32_t CountCards() { return static_cast<std::uint32_t>(pretend::CardCount()); }

void DescribeCard(std::uint32_t /*index*/, sy_device_properties& properties) {
  SetText(properties.name, "Pretended card (simulated)");
  SetText(properties.maker, "Switchyard's example");
  SetText(properties.architecture, "f16");
  properties.memory_bytes = std::uint64_t{4} << 30;
  properties.alignment_bytes = pretend::kAlignmentBytes;
  properties.kv_page_multiple = pretend::kPageMultiple;
  // Every operation of the library's takes row by row.
  properties.flags = SY_DEVICE_BATCH_INVARIANT;
  properties.unit_count = 1;
  properties.proof = SY_PROOF_RUN_ON_EMULATOR;
}

std::unique_ptr<Device> OpenCard(std::uint32_t index, Options& /*options*/) {
  return std::make_unique<Card>(index);
}

}  // namespace

const Chip kChip = {"example", CountCards, DescribeCard, OpenCard};

}  // namespace switchyard::chips
