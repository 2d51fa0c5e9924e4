#include "policy/route_score.h"

#include <algorithm>
#include <vector>

#include "base/nearest_rank.h"
#include "policy/route_filters.h"

namespace switchyard::policy {
namespace {

// Used while nobody has shown anything better; only their ratio matters then.
constexpr double kUsualPrefill = 1000;  // tokens/s
constexpr double kUsualDecode = 100;
// Most answers end long before their limit.
constexpr std::int64_t kUsualAnswer = 256;  // tokens
// Behind all that answer.
constexpr double kLastResort = 1e6;  // s
// Behind all of other chips that answer.
constexpr double kStockSpent = 1e4;  // s
// Behind all that have answered, but for those that are buried in work.
constexpr double kNeverHeardOf = 5;  // s

// The median of what is known, for those of whom nothing is.
double Typical(std::span<const RouteCandidate> candidates, double Load::* rate, double usual) {
  const auto is_known = [rate](const RouteCandidate& candidate) {
    return candidate.load.*rate > 0;
  };
  if (std::ranges::all_of(candidates, is_known)) return usual;  // nobody needs it
  std::vector<double> known;
  for (const RouteCandidate& candidate : candidates) {
    if (is_known(candidate)) known.push_back(candidate.load.*rate);
  }
  return known.empty() ? usual : base::NearestRank(known, 0.5);
}

// What it is told of may be old, and what is in flight here may not have arrived there yet.
double Busy(const Load& load) {
  return static_cast<double>(std::max(load.in_flight, load.running + load.waiting));
}

// What a request asks of one member.
struct Work {
  double prefill_s = 0;  // until its first token, what lies ahead included
  double wait_s = 0;     // until its end
  double own_s = 0;      // of the member's time, for itself
  double shared_s = 0;   // that cached beginnings save, and would soon save anywhere
};

Work WorkOf(const RouteRequest& request, const RouteCandidate& candidate, double answer_tokens,
            double prefill_rate, double decode_rate) {
  const Load& load = candidate.load;
  if (load.prefill_tokens_s > 0) prefill_rate = load.prefill_tokens_s;
  if (load.decode_tokens_s > 0) decode_rate = load.decode_tokens_s;
  const auto own = static_cast<double>(
      std::max<std::int64_t>(request.prompt_tokens - candidate.cached_tokens, 0));
  const double prefill_s = (static_cast<double>(load.prefill_tokens) + own) / prefill_rate;
  return {.prefill_s = prefill_s,
          .wait_s = prefill_s + (Busy(load) + 1) * answer_tokens / decode_rate,
          .own_s = own / prefill_rate + answer_tokens / decode_rate,
          .shared_s = static_cast<double>(candidate.shared_tokens) / prefill_rate};
}

// What is beyond a group's share, told in requests like this one; and what the others are beyond
// theirs. It grows with each request that goes wrong, so that no load outweighs it for long.
class Shares {
 public:
  Shares(std::span<const RouteCandidate> candidates, const RoutePolicy& policy)
      : policy_(policy), served_(policy.shares.size()) {
    for (const RouteCandidate& candidate : candidates) {
      all_ += candidate.load.served_tokens;
      for (std::size_t i = 0; i < served_.size(); ++i) {
        if (IsIn(i, candidate)) served_[i] += candidate.load.served_tokens;
      }
    }
  }

  double BeyondBy(const RouteCandidate& candidate, double request_tokens) const {
    double beyond = 0;
    for (std::size_t i = 0; i < served_.size(); ++i) {
      const double wanted = policy_.shares[i].share;
      const double tokens =
          IsIn(i, candidate) ? served_[i] - wanted * all_ : all_ - served_[i] - (1 - wanted) * all_;
      beyond += std::max(0.0, tokens) / request_tokens;
    }
    return beyond;
  }

 private:
  bool IsIn(std::size_t target, const RouteCandidate& candidate) const {
    return SideOf(*candidate.place, policy_.shares[target].key) == policy_.shares[target].value;
  }
  const RoutePolicy& policy_;
  std::vector<double> served_;  // by the target's group
  double all_ = 0;
};

bool IsLevelMissed(const RouteRequest& request, const RouteCandidate& candidate, const Work& work) {
  return (request.wanted_ttft_ms > 0 && work.prefill_s * 1000 > request.wanted_ttft_ms) ||
         (request.wanted_itl_ms > 0 && candidate.load.itl_ms > request.wanted_itl_ms);
}

bool IsStockSpent(const RouteCandidate& candidate, const RoutePolicy& policy) {
  return std::ranges::any_of(policy.stock,
                             [&](const StockRule& rule) { return IsSpent(rule, candidate); });
}

}  // namespace

void Score(const RouteRequest& request, std::span<const RouteCandidate> candidates,
           const RoutePolicy& policy, std::span<RouteVerdict> verdicts) {
  const double prefill = Typical(candidates, &Load::prefill_tokens_s, kUsualPrefill);
  const double decode = Typical(candidates, &Load::decode_tokens_s, kUsualDecode);
  const auto answer = static_cast<double>(
      request.max_tokens > 0 ? std::min(request.max_tokens, kUsualAnswer) : kUsualAnswer);
  const double request_tokens =
      answer + static_cast<double>(std::max<std::int64_t>(request.prompt_tokens, 0));
  const Shares shares(candidates, policy);
  const RouteWeights& weights = policy.weights;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (verdicts[i].code != RouteCode::kFits) continue;
    const RouteCandidate& candidate = candidates[i];
    const Work work = WorkOf(request, candidate, answer, prefill, decode);
    const double hours = work.own_s / 3600;
    double score = work.wait_s + work.shared_s;
    score += weights.cost_s * candidate.place->cost_per_hour * hours;
    score += weights.energy_s * candidate.place->power_watts * hours;
    score += weights.share_s * shares.BeyondBy(candidate, request_tokens);
    if (IsLevelMissed(request, candidate, work)) score += weights.level_s;
    if (IsStockSpent(candidate, policy)) score += kStockSpent;
    if (candidate.reach == Reach::kUnknown) score += kNeverHeardOf;
    if (candidate.reach == Reach::kBroken || candidate.reach == Reach::kBusy) score += kLastResort;
    verdicts[i].score_s = score;
  }
}

}  // namespace switchyard::policy
