#include "gateway/felt_log.h"

#include <algorithm>

#include "base/nearest_rank.h"

namespace switchyard::gateway {

void FeltLog::Add(const FeltRequest& request, double now_s) {
  const std::lock_guard lock(mutex_);
  if (ring_.size() < most_) {
    ring_.push_back({now_s, request});
    return;
  }
  ring_[next_] = {now_s, request};
  next_ = (next_ + 1) % most_;
}

FeltReport FeltLog::Report(double from_s, double to_s) const {
  FeltReport report;
  std::vector<double> first_tokens;
  std::vector<double> gaps;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [at_s, request] : ring_) {
      if (at_s < from_s || at_s >= to_s) continue;
      ++report.requests;
      report.tokens += request.tokens;
      report.refused += request.outcome == Outcome::kRefused ? 1 : 0;
      report.broken += request.outcome == Outcome::kBroken ? 1 : 0;
      report.cancelled += request.outcome == Outcome::kCancelled ? 1 : 0;
      if (request.outcome != Outcome::kWhole) continue;
      ++report.whole;
      report.moved += request.moves > 0 ? 1 : 0;
      first_tokens.push_back(request.first_token_ms);
      gaps.push_back(request.longest_gap_ms);
    }
  }
  report.first_token_p50_ms = base::NearestRank(first_tokens, 0.5);
  report.first_token_p99_ms = base::NearestRank(first_tokens, 0.99);
  report.gap_p50_ms = base::NearestRank(gaps, 0.5);
  report.gap_p99_ms = base::NearestRank(gaps, 0.99);
  report.gap_most_ms = gaps.empty() ? 0 : *std::ranges::max_element(gaps);
  return report;
}

}  // namespace switchyard::gateway
