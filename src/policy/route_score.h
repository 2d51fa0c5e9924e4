// What it would cost to run a request on each member, in expected seconds. Pure.
#pragma once

#include <span>

#include "policy/routing.h"

namespace switchyard::policy {

// Sets `score_s` of those verdicts that say kFits.
void Score(const RouteRequest& request, std::span<const RouteCandidate> candidates,
           const RoutePolicy& policy, std::span<RouteVerdict> verdicts);

}  // namespace switchyard::policy
