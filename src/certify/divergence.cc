#include "certify/divergence.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace switchyard::certify {
namespace {

// log of the sum of exp, with the largest taken out first so that exp cannot overflow.
double LogSumExp(std::span<const float> logits) {
  const auto largest = static_cast<double>(std::ranges::max(logits));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

// Of sorted values, linear between them.
double Quantile(std::span<const double> sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

}  // namespace

double KlDivergence(std::span<const float> a, std::span<const float> b) {
  const double norm_a = LogSumExp(a);
  const double norm_b = LogSumExp(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double log_a = static_cast<double>(a[i]) - norm_a;
    const double log_b = static_cast<double>(b[i]) - norm_b;
    const double p = std::exp(log_a);
    if (p > 0) sum += p * (log_a - log_b);
  }
  // Rounding may leave a hair below zero; what is no number is as far off as can be.
  return std::isnan(sum) ? kWorstKl : std::clamp(sum, 0.0, kWorstKl);
}

std::size_t Best(std::span<const float> logits) {
  return static_cast<std::size_t>(std::ranges::max_element(logits) - logits.begin());
}

double GapToSecond(std::span<const float> logits) {
  const std::size_t best = Best(logits);
  float second = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (i != best) second = std::max(second, logits[i]);
  }
  return static_cast<double>(logits[best]) - static_cast<double>(second);
}

void DivergenceStatistics::Add(std::span<const float> a, std::span<const float> b,
                               std::optional<std::int32_t> next) {
  kl_.push_back(KlDivergence(a, b));
  if (Best(a) == Best(b)) ++same_best_;
  if (!next) return;
  const auto token = static_cast<std::size_t>(*next);
  ++with_next_;
  log_loss_a_ += LogSumExp(a) - static_cast<double>(a[token]);
  log_loss_b_ += LogSumExp(b) - static_cast<double>(b[token]);
}

void DivergenceStatistics::Summarise(Divergence& divergence) const {
  divergence.positions = static_cast<std::int64_t>(kl_.size());
  if (kl_.empty()) return;
  std::vector<double> sorted = kl_;
  std::ranges::sort(sorted);
  double sum = 0;
  for (const double kl : sorted) sum += kl;
  const auto count = static_cast<double>(kl_.size());
  divergence.mean_kl = sum / count;
  divergence.p99_kl = Quantile(sorted, 0.99);
  divergence.worst_kl = sorted.back();
  divergence.same_best = static_cast<double>(same_best_) / count;
  if (with_next_ > 0) {
    divergence.perplexity_a = std::exp(log_loss_a_ / static_cast<double>(with_next_));
    divergence.perplexity_b = std::exp(log_loss_b_ / static_cast<double>(with_next_));
  }
  constexpr int kSteps = 20;
  divergence.kl_quantiles.clear();
  for (int i = 0; i <= kSteps; ++i) {
    divergence.kl_quantiles.push_back(Quantile(sorted, static_cast<double>(i) / kSteps));
  }
}

}  // namespace switchyard::certify
