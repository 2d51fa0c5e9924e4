#include "policy/step_time.h"

#include <algorithm>
#include <cmath>

namespace switchyard::policy {
namespace {

// About the last 50 steps count.
constexpr double kKept = 0.98;
constexpr double kEnoughSteps = 8;

}  // namespace

void StepTime::Observe(std::int64_t tokens, double seconds) {
  const auto x = static_cast<double>(tokens);
  weight_ = kKept * weight_ + 1;
  x_ = kKept * x_ + x;
  y_ = kKept * y_ + seconds;
  xx_ = kKept * xx_ + x * x;
  xy_ = kKept * xy_ + x * seconds;
}

std::int64_t StepTime::TokensWithin(double seconds, std::int64_t unknown) const {
  if (weight_ < kEnoughSteps) return unknown;
  const double spread = weight_ * xx_ - x_ * x_;  // >= 0
  const double slope = (weight_ * xy_ - x_ * y_) / spread;
  const double base = (y_ - slope * x_) / weight_;
  // Steps that were all alike, or noise, say nothing of a token's time.
  if (!(spread > 1e-6 * weight_ * xx_) || !(slope > 0)) return unknown;
  const double tokens = std::floor((seconds - std::max(base, 0.0)) / slope);
  return static_cast<std::int64_t>(std::clamp(tokens, 1.0, static_cast<double>(unknown)));
}

}  // namespace switchyard::policy
