// Members that have become much slower than they were and than the others: kept away for a while,
// as if they had failed. Both must hold, since chips differ, and since a harder load slows all.
// Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace switchyard::policy {

struct OutlierLimits {
  double factor = 4;        // slower than usual and than the others by this; 0: nobody is one
  double floor_ms = 200;    // less is never slow
  double most_share = 0.5;  // of the members at once
  friend bool operator==(const OutlierLimits&, const OutlierLimits&) = default;
};

// Of one member, such as its time to the first token.
struct Pace {
  double recent_ms = 0;
  double usual_ms = 0;
  std::int64_t samples = 0;  // few say nothing
  bool is_away = false;      // already
};

// For each member whether it is to be kept away now. The slowest first, as long as no more than
// `most_share` are away.
std::vector<bool> FindOutliers(std::span<const Pace> paces, const OutlierLimits& limits);

}  // namespace switchyard::policy
