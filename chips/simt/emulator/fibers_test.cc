#include "fibers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace switchyard::simt::emulator {
namespace {

using testing::Each;
using testing::HasSubstr;

TEST(Fibers, RunsEveryWorkItemOfEveryGroupOnce) {
  int counts[2][3][4] = {};
  ASSERT_TRUE(RunGrid({3, 2, 4}, [&] { ++counts[GroupY()][GroupX()][Lane()]; }));
  for (const auto& row : counts) {
    for (const auto& group : row) EXPECT_THAT(group, Each(1));
  }
}

TEST(Fibers, BarrierWaitsForTheWholeGroup) {
  constexpr std::int32_t kLanes = 16;
  std::vector<int> reversed(kLanes, -1);
  const base::Status status = RunGrid({1, 1, kLanes}, [&] {
    static thread_local constinit LocalMemory<int, kLanes> memory;
    int* const shared = memory.Enter();
    const std::int32_t lane = Lane();
    shared[lane] = lane;
    Barrier(__FILE__, __LINE__);
    reversed[static_cast<std::size_t>(lane)] = shared[kLanes - 1 - lane];
  });
  ASSERT_TRUE(status) << status.error().message;
  for (int i = 0; i < kLanes; ++i) EXPECT_EQ(reversed[static_cast<std::size_t>(i)], kLanes - 1 - i);
}

TEST(Fibers, ABarrierThatSomeSkipIsAnError) {
  const base::Status status = RunGrid({1, 1, 8}, [] {
    if (Lane() != 5) Barrier(__FILE__, __LINE__);
  });
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("5 has ended"));
}

TEST(Fibers, TwoBarriersAtOnceAreAnError) {
  const base::Status status = RunGrid({1, 1, 8}, [] {
    if (Lane() < 4) {
      Barrier(__FILE__, __LINE__);
    } else {
      Barrier(__FILE__, __LINE__);
    }
  });
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("part ways"));
}

TEST(Fibers, LocalMemoryIsNotANumberAtTheStartOfEachGroup) {
  float found[2][4] = {};
  ASSERT_TRUE(RunGrid({2, 1, 4}, [&] {
    static thread_local constinit LocalMemory<float, 4> memory;
    float* const shared = memory.Enter();
    found[GroupX()][Lane()] = shared[Lane()];
    shared[Lane()] = 1;
  }));
  for (const auto& group : found) EXPECT_THAT(group, Each(testing::IsNan()));
}

}  // namespace
}  // namespace switchyard::simt::emulator
