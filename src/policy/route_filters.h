// The filters of a routing decision, in their order: what the request needs, what policy forbids,
// who is there. Pure.
#pragma once

#include "policy/routing.h"

namespace switchyard::policy {

// kFits if nothing stands against the candidate.
RouteVerdict Filter(const RouteRequest& request, const RouteCandidate& candidate,
                    const RoutePolicy& policy);

// The rule is for the candidate's chip, and its hours of the day are used up.
bool IsSpent(const StockRule& rule, const RouteCandidate& candidate);

}  // namespace switchyard::policy
