#include "policy/retry_budget.h"

#include <algorithm>

namespace switchyard::policy {
namespace {

constexpr double kSaved = 10;  // retries that requests alone may save up

}  // namespace

RetryBudget::RetryBudget(const RetryLimits& limits, double now_s)
    : limits_(limits), left_(Most()), since_s_(now_s) {}

double RetryBudget::left(double now_s) const {
  // What requests brought may exceed what time brings, but does not grow with time.
  const double grown = left_ + limits_.per_second * std::max(0.0, now_s - since_s_);
  return std::min(grown, std::max(left_, Most()));
}

void RetryBudget::Request(double now_s) {
  // Hours of calm must not pay for a storm, so this too is bounded.
  left_ = std::min(left(now_s) + limits_.share, 2 * Most() + kSaved);
  since_s_ = std::max(since_s_, now_s);
}

bool RetryBudget::Retry(double now_s) {
  left_ = left(now_s);
  since_s_ = std::max(since_s_, now_s);
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

}  // namespace switchyard::policy
