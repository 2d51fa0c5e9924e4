// Which replica of a model gets a request, and which request goes next. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace switchyard::policy {

struct ReplicaState {
  bool is_lost = false;
  std::int64_t requests = 0;       // that it has by now
  std::int64_t sequences = 1;      // that it runs at once
  std::int64_t cached_tokens = 0;  // of the request, that it need not compute
};

// The index of the replica that should have a request of `tokens`: among those with a place, the
// one with the best of load and prefix, the first among equals; none if all are full or lost.
std::optional<std::size_t> ChooseReplica(std::span<const ReplicaState> replicas,
                                         std::int64_t tokens);

struct QueuedRequest {
  std::uint64_t id = 0;  // by arrival
  std::int32_t priority = 0;
  std::int64_t served = 0;  // to its tenant
};

// The index of the one whose turn it is: higher priority, then the tenant that was served least,
// then the older; but in every eighth turn the oldest of all, so that nobody starves. `queue` is
// not empty and the oldest comes first.
std::size_t NextInQueue(std::span<const QueuedRequest> queue, std::uint64_t turn);

}  // namespace switchyard::policy
