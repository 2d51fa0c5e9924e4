#include "fibers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace switchyard::simt::emulator {
namespace {

using testing::Each;
using testing::HasSubstr;

TEST(Fibers, RunsEveryWorkItemOfEveryGroupOnce) {
  std::multiset<std::tuple<std::int64_t, std::int64_t, std::int32_t>> seen;
  ASSERT_TRUE(RunGrid({3, 2, 4}, [&] { seen.emplace(GroupX(), GroupY(), Lane()); }));
  EXPECT_EQ(seen.size(), 24U);
  EXPECT_EQ(
      (std::set<std::tuple<std::int64_t, std::int64_t, std::int32_t>>(seen.begin(), seen.end())
           .size()),
      24U);
}

TEST(Fibers, BarrierWaitsForTheWholeGroup) {
  constexpr std::int32_t kLanes = 16;
  std::vector<int> reversed(kLanes, -1);
  const base::Status status = RunGrid({1, 1, kLanes}, [&] {
    static thread_local LocalMemory<int, kLanes> memory;
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
  std::vector<float> found;
  ASSERT_TRUE(RunGrid({2, 1, 4}, [&] {
    static thread_local LocalMemory<float, 4> memory;
    float* const shared = memory.Enter();
    found.push_back(shared[Lane()]);
    shared[Lane()] = 1;
  }));
  ASSERT_EQ(found.size(), 8U);
  EXPECT_THAT(found, Each(testing::IsNan()));
}

}  // namespace
}  // namespace switchyard::simt::emulator
