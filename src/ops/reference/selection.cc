// The k largest of a row: of logits, and of a router's scores over experts; and the weighted sum of
// what the chosen experts gave.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/reference/operations.h"

namespace switchyard::ops::reference {
namespace {

// Largest first; the lower index first among equals; NaN after everything.
std::vector<std::int32_t> LargestIndices(std::span<const float> values, std::int64_t count) {
  std::vector<std::int32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto comes_first = [values](std::int32_t a, std::int32_t b) {
    const float left = values[static_cast<std::size_t>(a)];
    const float right = values[static_cast<std::size_t>(b)];
    if (std::isnan(left) || std::isnan(right)) {
      return std::isnan(left) == std::isnan(right) ? a < b : std::isnan(right);
    }
    return left == right ? a < b : left > right;
  };
  std::partial_sort(order.begin(), order.begin() + count, order.end(), comes_first);
  order.resize(static_cast<std::size_t>(count));
  return order;
}

// Rounded to f32, as scores that differ less than that count as equal.
std::vector<float> Scores(sy_scoring scoring, std::span<const float> logits) {
  std::vector<float> scores(logits.size());
  if (scoring == SY_SCORING_SIGMOID) {
    std::ranges::transform(logits, scores.begin(), [](float logit) {
      return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(logit))));
    });
    return scores;
  }
  const auto largest = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  std::ranges::transform(logits, scores.begin(), [&](float logit) {
    return static_cast<float>(std::exp(static_cast<double>(logit) - largest) / sum);
  });
  return scores;
}

}  // namespace

base::Status TopK(const Call& call) {
  const Operand& x = call.inputs[0];        // [B, V]
  const Operand& values = call.outputs[0];  // [B, k]
  const Operand& ids = call.outputs[1];     // [B, k]
  for (std::int64_t row = 0; row < x.dim(0); ++row) {
    const std::vector<float> candidates = LoadRow(x, row);
    const std::vector<std::int32_t> chosen = LargestIndices(candidates, ids.dim(1));
    std::vector<float> largest;
    for (const std::int32_t id : chosen) {
      StoreIndex(ids, row, static_cast<std::int64_t>(largest.size()), id);
      largest.push_back(candidates[static_cast<std::size_t>(id)]);
    }
    StoreRow(values, row, largest);
  }
  return {};
}

base::Status RouterTopK(const Call& call) {
  const Operand& logits = call.inputs[0];    // [T, E]
  const Operand& ids = call.outputs[0];      // [T, k]
  const Operand& weights = call.outputs[1];  // [T, k]
  const std::vector<float> bias =
      call.inputs[1].present() ? LoadRow(call.inputs[1], 0) : std::vector<float>();
  for (std::int64_t t = 0; t < logits.dim(0); ++t) {
    const std::vector<float> scores = Scores(call.op.scoring, LoadRow(logits, t));
    std::vector<float> ranks = scores;
    for (std::size_t i = 0; i < bias.size(); ++i) ranks[i] += bias[i];
    const std::vector<std::int32_t> chosen = LargestIndices(ranks, ids.dim(1));
    double sum = 0;
    for (const std::int32_t id : chosen)
      sum += static_cast<double>(scores[static_cast<std::size_t>(id)]);
    const double divisor = call.op.router_renormalise != 0 ? sum : 1;
    std::vector<float> shares;
    for (const std::int32_t id : chosen) {
      StoreIndex(ids, t, static_cast<std::int64_t>(shares.size()), id);
      const double share = static_cast<double>(scores[static_cast<std::size_t>(id)]) / divisor;
      shares.push_back(static_cast<float>(share * static_cast<double>(call.op.scale)));
    }
    StoreRow(weights, t, shares);
  }
  return {};
}

// z[t] = sum over j of weights[t, j] * y[t, j], in order of j
base::Status Combine(const Call& call) {
  const Operand& y = call.inputs[0];        // [T, k, D]
  const Operand& weights = call.inputs[1];  // [T, k]
  const Operand& z = call.outputs[0];       // [T, D]
  const std::int64_t chosen = y.dim(1);
  for (std::int64_t t = 0; t < y.dim(0); ++t) {
    const std::vector<float> shares = LoadRow(weights, t);
    std::vector<double> sums(static_cast<std::size_t>(y.dim(2)));
    for (std::int64_t j = 0; j < chosen; ++j) {
      const std::vector<float> row = LoadRow(y, t * chosen + j);
      const auto share = static_cast<double>(shares[static_cast<std::size_t>(j)]);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += share * static_cast<double>(row[i]);
    }
    StoreRow(z, t, std::vector<float>(sums.begin(), sums.end()));
  }
  return {};
}

}  // namespace switchyard::ops::reference
