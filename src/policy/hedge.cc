#include "policy/hedge.h"

#include "base/nearest_rank.h"

namespace switchyard::policy {
namespace {

RetryLimits BudgetOf(const HedgeLimits& limits) {
  return {.share = limits.share, .per_second = 0, .burst_s = 0};
}

}  // namespace

HedgePolicy::HedgePolicy(const HedgeLimits& limits, double now_s)
    : limits_(limits), budget_(BudgetOf(limits), now_s) {}

void HedgePolicy::SetLimits(const HedgeLimits& limits) {
  limits_ = limits;
  budget_.SetLimits(BudgetOf(limits));
}

void HedgePolicy::Request(double now_s) { budget_.Request(now_s); }

void HedgePolicy::FirstToken(std::string_view model, double ms) {
  auto found = windows_.find(model);
  if (found == windows_.end()) found = windows_.emplace(model, Window()).first;
  Window& window = found->second;
  if (window.ms.size() < kSamples) {
    window.ms.push_back(ms);
    return;
  }
  window.ms[window.next] = ms;
  window.next = (window.next + 1) % kSamples;
}

std::optional<double> HedgePolicy::DelayMs(std::string_view model) const {
  if (!limits_.is_on) return std::nullopt;
  if (limits_.delay_ms > 0) return limits_.delay_ms;
  const auto found = windows_.find(model);
  if (found == windows_.end() || found->second.ms.size() < kFewSamples) return std::nullopt;
  std::vector<double> seen = found->second.ms;
  return base::NearestRank(seen, limits_.percentile);
}

bool HedgePolicy::Hedge(double now_s) { return limits_.is_on && budget_.Retry(now_s); }

}  // namespace switchyard::policy
