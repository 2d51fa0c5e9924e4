#include "policy/replica_choice.h"

#include <algorithm>
#include <tuple>

namespace switchyard::policy {

std::optional<std::size_t> ChooseReplica(std::span<const ReplicaState> replicas,
                                         std::int64_t tokens) {
  std::optional<std::size_t> best;
  double best_worth = 0;
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    const ReplicaState& replica = replicas[i];
    if (replica.is_lost || replica.requests >= replica.sequences) continue;
    // A prefix that is wholly there is worth as much as an idle replica.
    const double worth =
        1 - static_cast<double>(replica.requests) / static_cast<double>(replica.sequences) +
        static_cast<double>(std::min(replica.cached_tokens, tokens)) /
            static_cast<double>(std::max<std::int64_t>(tokens, 1));
    if (best && worth <= best_worth) continue;
    best = i;
    best_worth = worth;
  }
  return best;
}

std::size_t NextInQueue(std::span<const QueuedRequest> queue, std::uint64_t turn) {
  if (turn % 8 == 7) return 0;
  const auto rank = [](const QueuedRequest& request) {
    return std::tuple(-std::int64_t{request.priority}, request.served, request.id);
  };
  return static_cast<std::size_t>(std::ranges::min_element(queue, {}, rank) - queue.begin());
}

}  // namespace switchyard::policy
