#include "policy/route_score.h"

#include <algorithm>
#include <vector>

namespace switchyard::policy {
namespace {

// Used while nobody has shown anything better; only their ratio matters then.
constexpr double kUsualPrefill = 1000;  // tokens/s
constexpr double kUsualDecode = 100;
// Most answers end long before their limit.
constexpr std::int64_t kUsualAnswer = 256;  // tokens
// Behind all that answer.
constexpr double kLastResort = 1e6;  // s
// Behind all that have answered, but for those that are buried in work.
constexpr double kNeverHeardOf = 5;  // s

// The median of what is known, for those of whom nothing is.
double Typical(std::span<const RouteCandidate> candidates, double Load::* rate, double usual) {
  std::vector<double> known;
  for (const RouteCandidate& candidate : candidates) {
    if (candidate.load.*rate > 0) known.push_back(candidate.load.*rate);
  }
  if (known.empty()) return usual;
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
  std::ranges::nth_element(known, middle);
  return *middle;
}

// What it is told of may be old, and what is in flight here may not have arrived there yet.
double Busy(const Load& load) {
  return static_cast<double>(std::max(load.in_flight, load.running + load.waiting));
}

}  // namespace

void Score(const RouteRequest& request, std::span<const RouteCandidate> candidates,
           const RoutePolicy& /*policy*/, std::span<RouteVerdict> verdicts) {
  const double prefill = Typical(candidates, &Load::prefill_tokens_s, kUsualPrefill);
  const double decode = Typical(candidates, &Load::decode_tokens_s, kUsualDecode);
  const auto answer = static_cast<double>(
      request.max_tokens > 0 ? std::min(request.max_tokens, kUsualAnswer) : kUsualAnswer);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (verdicts[i].code != RouteCode::kFits) continue;
    const RouteCandidate& candidate = candidates[i];
    const Load& load = candidate.load;
    const std::int64_t own =
        std::max<std::int64_t>(request.prompt_tokens - candidate.cached_tokens, 0);
    const double ahead = static_cast<double>(load.prefill_tokens + own);
    double score =
        ahead / (load.prefill_tokens_s > 0 ? load.prefill_tokens_s : prefill) +
        (Busy(load) + 1) * answer / (load.decode_tokens_s > 0 ? load.decode_tokens_s : decode);
    if (candidate.reach == Reach::kUnknown) score += kNeverHeardOf;
    if (candidate.reach == Reach::kBroken || candidate.reach == Reach::kBusy) score += kLastResort;
    verdicts[i].score_s = score;
  }
}

}  // namespace switchyard::policy
