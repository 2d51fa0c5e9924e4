#include "policy/tenant_turns.h"

#include <algorithm>
#include <limits>

namespace switchyard::policy {

std::int64_t TenantTurns::Least() const {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const auto& [name, tenant] : by_name_) {
    if (counters_[tenant].requests > 0) least = std::min(least, counters_[tenant].served);
  }
  return least == std::numeric_limits<std::int64_t>::max() ? 0 : least;
}

// Whoever would start at `least` anyway need not be remembered.
void TenantTurns::ForgetIdle(std::int64_t least) {
  for (auto at = by_name_.begin(); at != by_name_.end();) {
    const Counter& counter = counters_[at->second];
    if (counter.requests == 0 && counter.served <= least) {
      unused_.push_back(at->second);
      at = by_name_.erase(at);
    } else {
      ++at;
    }
  }
}

TenantTurns::Tenant TenantTurns::Arrive(std::string_view name) {
  const auto known = by_name_.find(name);
  if (known != by_name_.end() && counters_[known->second].requests > 0) {
    ++counters_[known->second].requests;
    return known->second;
  }
  const std::int64_t least = Least();
  if (known != by_name_.end()) {
    Counter& counter = counters_[known->second];
    counter.served = std::max(counter.served, least);
    counter.requests = 1;
    return known->second;
  }
  ForgetIdle(least);
  Tenant tenant;
  if (unused_.empty()) {
    tenant = static_cast<Tenant>(counters_.size());
    counters_.emplace_back();
  } else {
    tenant = unused_.back();
    unused_.pop_back();
  }
  counters_[tenant] = {std::string(name), least, 1};
  by_name_.emplace(name, tenant);
  return tenant;
}

void TenantTurns::Leave(Tenant tenant) {
  if (--counters_[tenant].requests > 0) return;
  const bool anyone = std::ranges::any_of(
      by_name_, [&](const auto& entry) { return counters_[entry.second].requests > 0; });
  // Nobody is left to be fair to.
  if (!anyone) ForgetIdle(std::numeric_limits<std::int64_t>::max());
}

}  // namespace switchyard::policy
