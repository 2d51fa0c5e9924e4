// How far one chip's logits lie from another's. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "certify/certificate.h"

namespace switchyard::certify {

// As far apart as two rows can be: what is no number counts as this, and nothing as more.
inline constexpr double kWorstKl = 1000;

// KL(A || B) of the distributions that two rows of logits stand for, in nats. Sums in f64.
double KlDivergence(std::span<const float> a, std::span<const float> b);

// The index of the largest; the first among equals.
std::size_t Best(std::span<const float> logits);

// How far the largest lies above the second largest.
double GapToSecond(std::span<const float> logits);

// Gathers positions of one scenario.
class DivergenceStatistics {
 public:
  // `next`: the text's own next token, where it has one.
  void Add(std::span<const float> a, std::span<const float> b, std::optional<std::int32_t> next);

  // Fills in the measured fields of `divergence`.
  void Summarise(Divergence& divergence) const;

 private:
  std::vector<double> kl_;
  std::int64_t same_best_ = 0;
  std::int64_t with_next_ = 0;
  double log_loss_a_ = 0;  // summed
  double log_loss_b_ = 0;
};

}  // namespace switchyard::certify
