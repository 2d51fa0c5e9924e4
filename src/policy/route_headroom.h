// Room for a loss: new requests are turned away while those that run could not all be taken on if
// any one maker (or region, or whatever policy names) went away. Pure.
#pragma once

#include <span>

#include "policy/routing.h"

namespace switchyard::policy {

// Turns kFits into kHeadroom. Answers in progress are never turned away. Members of unknown
// capacity hold nothing of what others lose.
void KeepHeadroom(const RouteRequest& request, std::span<const RouteCandidate> candidates,
                  const RoutePolicy& policy, std::span<RouteVerdict> verdicts);

}  // namespace switchyard::policy
