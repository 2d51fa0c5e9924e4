// What the pretended card has for its users to trip over: the suite drives the chip, which does not
// trip, so it never sees these.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "card.h"

namespace switchyard::chips {
namespace {

class ExampleCard : public testing::Test {
 protected:
  Card card{0};
  const std::unique_ptr<Queue> queue = card.CreateQueue();
};

TEST_F(ExampleCard, HandsOutAddressesThatTheHostCannotFollow) {
  const Address address = card.Allocate(1000);
  EXPECT_GE(address, Address{1} << 47);  // beyond what a process on Linux can have
  EXPECT_EQ(address % pretend::kAlignmentBytes, 0U);
  card.Free(address);
}

// Accepted, dropped later, told once; then the queue works on.
TEST_F(ExampleCard, TellsOfLateFailuresWhenSynchronised) {
  const Address address = card.Allocate(64);
  std::uint32_t value = 1;
  queue->Upload(address, &value, sizeof value);
  queue->Upload(address + (std::uint64_t{8} << 30), &value, sizeof value);
  const std::uint32_t dropped = 2;
  queue->Upload(address, &dropped, sizeof dropped);
  EXPECT_EQ(Guard([&] { queue->Sync(); }), SY_INTERNAL);
  EXPECT_THAT(LastError(), testing::HasSubstr("outside of the card's memory"));
  std::uint32_t found = 0;
  queue->Download(&found, address, sizeof found);
  queue->Sync();
  EXPECT_EQ(found, 1U);
  card.Free(address);
}

TEST_F(ExampleCard, TellsOfLateFailuresByEventsToo) {
  const std::unique_ptr<Event> event = card.CreateEvent();
  const std::unique_ptr<Queue> other = card.CreateQueue();
  event->Sync();  // never recorded: holds nothing up
  queue->Fill(0, 0, 1);
  queue->Record(*event);
  other->Wait(*event);
  EXPECT_EQ(Guard([&] { event->Sync(); }), SY_INTERNAL);
  EXPECT_EQ(Guard([&] { other->Sync(); }), SY_INTERNAL);
}

TEST_F(ExampleCard, RefusesWhatIsMisalignedOrOfAnotherType) {
  pretend::Card* raw = nullptr;
  pretend::Stream* stream = nullptr;
  ASSERT_EQ(pretend::OpenCard(0, &raw), pretend::Result::kOk);
  ASSERT_EQ(pretend::CreateStream(raw, &stream), pretend::Result::kOk);
  pretend::Tensor x;
  ASSERT_EQ(pretend::Allocate(raw, 4096, &x.memory), pretend::Result::kOk);
  x.rank = 2;
  x.dims[1] = 32;
  x.strides[0] = 32;
  EXPECT_EQ(pretend::Matmul(stream, x, x, nullptr, x), pretend::Result::kOk);
  pretend::Tensor bad = x;
  bad.strides[0] = 33;
  EXPECT_EQ(pretend::Matmul(stream, x, bad, nullptr, x), pretend::Result::kMisaligned);
  bad = x;
  bad.memory += 64;
  EXPECT_EQ(pretend::Add(stream, bad, x, x), pretend::Result::kMisaligned);
  bad = x;
  bad.type = pretend::Type::kF32;
  EXPECT_EQ(pretend::Add(stream, bad, x, x), pretend::Result::kUnsupportedType);
  pretend::DestroyStream(stream);
  pretend::CloseCard(raw);
}

TEST_F(ExampleCard, GivesMemoryBackAndRunsOutOfIt) {
  const std::uint64_t before = card.AvailableBytes();
  const Address address = card.Allocate(before / 2);
  EXPECT_EQ(card.AvailableBytes(), before - before / 2);
  EXPECT_EQ(Guard([&] { card.Allocate(before); }), SY_RESOURCE_EXHAUSTED);
  card.Free(address);
  EXPECT_EQ(card.AvailableBytes(), before);
}

}  // namespace
}  // namespace switchyard::chips
