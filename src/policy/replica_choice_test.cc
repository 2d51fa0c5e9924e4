#include "policy/replica_choice.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace switchyard::policy {
namespace {

TEST(ReplicaChoice, TheIdlestThatIsThere) {
  std::array<ReplicaState, 3> replicas{{{.requests = 1, .sequences = 4},
                                        {.is_lost = true, .sequences = 4},
                                        {.requests = 1, .sequences = 8}}};
  EXPECT_EQ(ChooseReplica(replicas, 10), 2U);
  replicas[0].requests = 4;
  replicas[2].requests = 8;
  EXPECT_EQ(ChooseReplica(replicas, 10), std::nullopt);
}

TEST(ReplicaChoice, APrefixOutweighsSomeLoad) {
  std::array<ReplicaState, 2> replicas{
      {{.requests = 0, .sequences = 8}, {.requests = 3, .sequences = 8, .cached_tokens = 80}}};
  EXPECT_EQ(ChooseReplica(replicas, 100), 1U);
  replicas[1].requests = 7;
  EXPECT_EQ(ChooseReplica(replicas, 100), 0U);
}

TEST(ReplicaChoice, PriorityThenTenantThenAgeAndNowAndThenTheOldest) {
  std::vector<QueuedRequest> queue{{1, 0, 20}, {2, 0, 10}, {3, 0, 10}};
  EXPECT_EQ(NextInQueue(queue, 0), 1U);
  queue.push_back({4, 1, 50});
  EXPECT_EQ(NextInQueue(queue, 1), 3U);
  EXPECT_EQ(NextInQueue(queue, 7), 0U);
}

}  // namespace
}  // namespace switchyard::policy
