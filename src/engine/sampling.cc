#include "engine/sampling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "engine/random.h"

namespace switchyard::engine {
namespace {

using base::ErrorCode;
using base::Fail;

struct Candidate {
  TokenId id;
  float logit;
  double probability;
};

bool Better(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

bool InVocabulary(TokenId id, std::span<const float> logits) {
  return id >= 0 && static_cast<std::size_t>(id) < logits.size();
}

void ApplyPenalties(std::span<float> logits, const SamplingParameters& parameters,
                    std::span<const TokenId> prompt, std::span<const TokenId> answer) {
  if (parameters.repetition_penalty != 1.0F) {
    std::unordered_set<TokenId> seen(prompt.begin(), prompt.end());
    seen.insert(answer.begin(), answer.end());
    for (const TokenId id : seen) {
      if (!InVocabulary(id, logits)) continue;
      float& logit = logits[static_cast<std::size_t>(id)];
      logit =
          logit > 0 ? logit / parameters.repetition_penalty : logit * parameters.repetition_penalty;
    }
  }
  if (parameters.presence_penalty != 0.0F || parameters.frequency_penalty != 0.0F) {
    std::unordered_map<TokenId, int> counts;
    for (const TokenId id : answer) ++counts[id];
    for (const auto& [id, count] : counts) {
      if (!InVocabulary(id, logits)) continue;
      logits[static_cast<std::size_t>(id)] -=
          parameters.presence_penalty + parameters.frequency_penalty * static_cast<float>(count);
    }
  }
  for (const auto& [id, bias] : parameters.logit_bias) {
    if (InVocabulary(id, logits)) logits[static_cast<std::size_t>(id)] += bias;
  }
}

bool ChangesLogits(const SamplingParameters& parameters) {
  return parameters.repetition_penalty != 1.0F || parameters.presence_penalty != 0.0F ||
         parameters.frequency_penalty != 0.0F || !parameters.logit_bias.empty();
}

// The maximum, or -infinity if there is no number. Lanes of their own, so that it takes whole
// vectors; a NaN compares false and never replaces a value.
float MaximumOf(std::span<const float> logits) {
  constexpr std::size_t kLanes = 16;
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  std::array<float, kLanes> lanes;
  lanes.fill(kNone);
  const std::size_t whole = logits.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = logits[i + lane];
      lanes[lane] = value > lanes[lane] ? value : lanes[lane];
    }
  }
  float best = kNone;
  for (const float value : lanes) best = value > best ? value : best;
  for (const float value : logits.subspan(whole)) best = value > best ? value : best;
  return best;
}

// The index of the largest logit, the lowest among equals; the size if no logit is a number.
std::size_t BestOf(std::span<const float> logits) {
  constexpr std::size_t kBlock = 4096;
  float best = -std::numeric_limits<float>::infinity();
  std::size_t best_block = 0;
  for (std::size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const float here = MaximumOf(logits.subspan(begin, std::min(kBlock, logits.size() - begin)));
    if (here > best) {
      best = here;
      best_block = begin;
    }
  }
  const auto found = std::find(logits.begin() + static_cast<std::ptrdiff_t>(best_block),
                               logits.end(), best);
  return static_cast<std::size_t>(found - logits.begin());
}

// Sets probabilities that sum to one over the candidates.
void Normalise(std::vector<Candidate>& candidates, float temperature) {
  float best = -std::numeric_limits<float>::infinity();
  for (const Candidate& candidate : candidates) best = std::max(best, candidate.logit);
  double sum = 0;
  for (Candidate& candidate : candidates) {
    // +inf - +inf would be NaN: an infinite logit takes all.
    const double distance = candidate.logit == best
                                ? 0.0
                                : static_cast<double>(candidate.logit) - static_cast<double>(best);
    candidate.probability = std::exp(distance / static_cast<double>(temperature));
    sum += candidate.probability;
  }
  for (Candidate& candidate : candidates) candidate.probability /= sum;
}

// Keeps the tokens whose surprise is nearest to the entropy, up to `mass` (the paper's equation 5).
void KeepTypical(std::vector<Candidate>& candidates, double mass) {
  double entropy = 0;
  for (const Candidate& c : candidates) {
    if (c.probability > 0) entropy -= c.probability * std::log(c.probability);
  }
  const auto distance = [entropy](const Candidate& c) {
    return c.probability > 0 ? std::abs(-std::log(c.probability) - entropy)
                             : std::numeric_limits<double>::infinity();
  };
  std::ranges::sort(candidates, [&](const Candidate& a, const Candidate& b) {
    const double da = distance(a);
    const double db = distance(b);
    return da < db || (da == db && a.id < b.id);
  });
  double sum = 0;
  std::size_t kept = 0;
  while (kept < candidates.size() && sum < mass) sum += candidates[kept++].probability;
  candidates.resize(std::max<std::size_t>(kept, 1));
}

// Takes the best candidates off a heap until they hold `mass`: far fewer steps than a full sort.
void KeepTopP(std::vector<Candidate>& candidates, double mass) {
  const auto worse = [](const Candidate& a, const Candidate& b) { return Better(b, a); };
  std::ranges::make_heap(candidates, worse);
  double sum = 0;
  auto end = candidates.end();
  while (end != candidates.begin() && sum < mass) {
    std::pop_heap(candidates.begin(), end, worse);
    sum += (--end)->probability;
  }
  candidates.erase(candidates.begin(), end);
}

}  // namespace

base::Status Validate(const SamplingParameters& p) {
  const auto check = [](std::string_view name, double value, double low,
                        double high) -> base::Status {
    if (value >= low && value <= high) return {};  // false for NaN too
    return Fail(ErrorCode::kInvalidArgument, "{} is {}: it must lie between {} and {}", name, value,
                low, high);
  };
  SWITCHYARD_RETURN_IF_ERROR(check("temperature", static_cast<double>(p.temperature), 0, 100));
  SWITCHYARD_RETURN_IF_ERROR(check("top_k", p.top_k, 0, std::numeric_limits<std::int32_t>::max()));
  SWITCHYARD_RETURN_IF_ERROR(check("top_p", static_cast<double>(p.top_p), 1e-9, 1));
  SWITCHYARD_RETURN_IF_ERROR(check("min_p", static_cast<double>(p.min_p), 0, 1));
  SWITCHYARD_RETURN_IF_ERROR(check("typical_p", static_cast<double>(p.typical_p), 1e-9, 1));
  SWITCHYARD_RETURN_IF_ERROR(
      check("repetition_penalty", static_cast<double>(p.repetition_penalty), 1e-3, 1e3));
  SWITCHYARD_RETURN_IF_ERROR(
      check("presence_penalty", static_cast<double>(p.presence_penalty), -2, 2));
  SWITCHYARD_RETURN_IF_ERROR(
      check("frequency_penalty", static_cast<double>(p.frequency_penalty), -2, 2));
  for (const auto& [id, bias] : p.logit_bias) {
    if (id < 0) return Fail(ErrorCode::kInvalidArgument, "logit_bias names the token {}", id);
    SWITCHYARD_RETURN_IF_ERROR(check("logit_bias", static_cast<double>(bias), -100, 100));
  }
  return {};
}

base::Result<TokenId> Sample(std::span<const float> logits, const SamplingParameters& parameters,
                             std::span<const TokenId> prompt, std::span<const TokenId> answer) {
  std::vector<float> changed;
  if (ChangesLogits(parameters)) {
    changed.assign(logits.begin(), logits.end());
    ApplyPenalties(changed, parameters, prompt, answer);
    logits = changed;
  }

  const std::size_t best = BestOf(logits);
  if (best == logits.size() || logits[best] == -std::numeric_limits<float>::infinity()) {
    return Fail(ErrorCode::kInternal,
                "none of the {} logits is a number above -infinity: the weights or the chip are "
                "broken; run the chip's conformance suite",
                logits.size());
  }
  if (parameters.temperature == 0.0F || parameters.top_k == 1) return static_cast<TokenId>(best);

  // min-p needs no sum: p / p_best is a difference of logits. It also spares the later steps the
  // tokens whose probability is below double precision's notice.
  const double least_share = std::max(static_cast<double>(parameters.min_p), 1e-17);
  const double cut = static_cast<double>(logits[best]) +
                     std::log(least_share) * static_cast<double>(parameters.temperature);
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (i == best || static_cast<double>(logits[i]) >= cut) {
      candidates.push_back({static_cast<TokenId>(i), logits[i], 0.0});
    }
  }
  if (parameters.top_k > 0 && candidates.size() > static_cast<std::size_t>(parameters.top_k)) {
    std::ranges::nth_element(candidates, candidates.begin() + parameters.top_k, Better);
    candidates.resize(static_cast<std::size_t>(parameters.top_k));
  }
  Normalise(candidates, parameters.temperature);
  if (parameters.typical_p < 1.0F) {
    KeepTypical(candidates, static_cast<double>(parameters.typical_p));
    Normalise(candidates, parameters.temperature);
  }
  if (parameters.top_p < 1.0F) KeepTopP(candidates, static_cast<double>(parameters.top_p));

  // The draw goes through the candidates by id, so that it does not depend on how they were
  // selected.
  if (!std::ranges::is_sorted(candidates, {}, &Candidate::id)) {
    std::ranges::sort(candidates, {}, &Candidate::id);
  }
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.probability;
  const std::uint64_t position = prompt.size() + answer.size();
  double left = UniformAt(parameters.seed, position, parameters.choice) * total;
  for (const Candidate& candidate : candidates) {
    left -= candidate.probability;
    if (left < 0) return candidate.id;
  }
  return candidates.back().id;
}

}  // namespace switchyard::engine
