#include "policy/rate_quantile.h"

#include <algorithm>

namespace switchyard::policy {
namespace {

constexpr double kStep = 0.1;
// Steps down are so much smaller, so that it rests where four in five samples lie below it.
constexpr double kShareDown = 0.22;

}  // namespace

void RateQuantile::Add(double rate) {
  ++samples_;
  if (value_ == 0) {
    value_ = rate;
    return;
  }
  const double step = std::max(kStep, 1 / static_cast<double>(samples_));
  value_ *= std::clamp(rate / value_, 1 - kShareDown * step, 1 + step);
}

}  // namespace switchyard::policy
