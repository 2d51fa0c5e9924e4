#include "policy/recent_rate.h"

#include <cmath>

namespace switchyard::policy {
namespace {

// After this many seconds a count weighs 1/e.
constexpr double kFade = 10;

}  // namespace

void RecentRate::Count(std::int64_t amount, double now_s) {
  faded_ = faded_ * std::exp(-(now_s - last_s_) / kFade) + static_cast<double>(amount);
  last_s_ = now_s;
}

double RecentRate::PerSecond(double now_s) const {
  // The weights of all the time that there was: a rate that never changed is told as it is.
  const double weights = kFade * (1 - std::exp(-(now_s - start_s_) / kFade));
  return weights > 0 ? faded_ * std::exp(-(now_s - last_s_) / kFade) / weights : 0;
}

}  // namespace switchyard::policy
