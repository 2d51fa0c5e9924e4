// The pretended card as the kit sees it: its streams, events and memory.
#pragma once

#include "kit/device.h"
#include "sdk/pretend.h"

namespace switchyard::chips {

// The library's word as the interface's: throws unless it is a good one.
void Check(pretend::Result result, const char* doing);

class CardEvent : public Event {
 public:
  explicit CardEvent(pretend::Card* card);
  ~CardEvent() override { pretend::DestroyEvent(event_); }
  void Sync() override;
  pretend::Event* get() const { return event_; }

 private:
  pretend::Event* event_ = nullptr;
};

class CardQueue : public Queue {
 public:
  explicit CardQueue(pretend::Card* card);
  ~CardQueue() override { pretend::DestroyStream(stream_); }
  void Upload(Address to, const void* from, std::uint64_t bytes) override;
  void Download(void* to, Address from, std::uint64_t bytes) override;
  void Copy(Address to, Address from, std::uint64_t bytes) override;
  void Fill(Address to, std::uint8_t value, std::uint64_t bytes) override;
  void Sync() override;
  void Record(Event& event) override;
  void Wait(Event& event) override;
  void Run(const Operation& operation) override;  // operations.cc

 private:
  pretend::Stream* stream_ = nullptr;
};

class Card : public Device {
 public:
  explicit Card(std::uint32_t index);
  ~Card() override { pretend::CloseCard(card_); }
  void Describe(sy_device_properties& properties) const override;
  Address Allocate(std::uint64_t bytes) override;
  void Free(Address address) noexcept override { pretend::Free(card_, address); }
  std::uint64_t AvailableBytes() override;
  std::unique_ptr<Queue> CreateQueue() override { return std::make_unique<CardQueue>(card_); }
  std::unique_ptr<Event> CreateEvent() override { return std::make_unique<CardEvent>(card_); }

  // operations.cc
  WeightImage PrepareWeight(const sy_weight_desc& desc) const override;
  std::string WhyNot(const Operation& operation) const override;
  std::uint64_t ScratchBytes(const Operation& operation) const override;

 private:
  pretend::Card* card_ = nullptr;
};

}  // namespace switchyard::chips
