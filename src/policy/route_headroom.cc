#include "policy/route_headroom.h"

#include <algorithm>
#include <map>

namespace switchyard::policy {
void KeepHeadroom(const RouteRequest& request, std::span<const RouteCandidate> candidates,
                  const RoutePolicy& policy, std::span<RouteVerdict> verdicts) {
  if (policy.survive.empty() || request.resumption != nullptr) return;
  std::map<std::string_view, std::int64_t> capacity;
  std::int64_t all = 0;
  std::int64_t running = 1;  // with this one
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (verdicts[i].code != RouteCode::kFits) continue;
    const RouteCandidate& candidate = candidates[i];
    capacity[SideOf(*candidate.place, policy.survive)] += candidate.capacity;
    all += candidate.capacity;
    running += std::max(candidate.load.in_flight, candidate.load.running + candidate.load.waiting);
  }
  if (capacity.size() < 2) return;
  const bool survives = std::ranges::all_of(
      capacity, [&](const auto& group) { return running <= all - group.second; });
  if (survives) return;
  for (RouteVerdict& verdict : verdicts) {
    if (verdict.code == RouteCode::kFits) verdict = {RouteCode::kHeadroom, policy.survive};
  }
}

}  // namespace switchyard::policy
