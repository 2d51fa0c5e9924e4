#include "policy/outliers.h"

#include <algorithm>
#include <cstddef>

#include "base/nearest_rank.h"

namespace switchyard::policy {
namespace {

constexpr std::int64_t kFew = 20;  // samples

}  // namespace

std::vector<bool> FindOutliers(std::span<const Pace> paces, const OutlierLimits& limits) {
  std::vector<bool> found(paces.size(), false);
  if (limits.factor <= 0) return found;
  std::vector<double> recent;
  std::size_t away = 0;
  for (const Pace& pace : paces) {
    away += pace.is_away ? 1 : 0;
    if (!pace.is_away && pace.samples >= kFew) recent.push_back(pace.recent_ms);
  }
  if (recent.size() < 2) return found;
  // The lower one, so that of two the faster is the measure.
  const double median = base::NearestRank(recent, 0.5);
  std::vector<std::size_t> slow;
  for (std::size_t i = 0; i < paces.size(); ++i) {
    const Pace& pace = paces[i];
    if (pace.is_away || pace.samples < kFew || pace.recent_ms <= limits.floor_ms) continue;
    const bool is_slow =
        pace.recent_ms > limits.factor * pace.usual_ms && pace.recent_ms > limits.factor * median;
    if (is_slow) slow.push_back(i);
  }
  std::ranges::sort(slow, std::ranges::greater(),
                    [&](std::size_t i) { return paces[i].recent_ms; });
  const double most = limits.most_share * static_cast<double>(paces.size());
  for (const std::size_t i : slow) {
    if (static_cast<double>(away + 1) > most) break;
    found[i] = true;
    ++away;
  }
  return found;
}

}  // namespace switchyard::policy
