// The k largest of a row: of logits, and of a router's scores.
#include <algorithm>
#include <cmath>
#include <vector>

#include "device.h"
#include "row_steps.h"

namespace switchyard::cpu {
namespace {

struct Candidate {
  float value;
  std::int32_t id;
};

// Larger first, the lower index first among equals, NaN last.
bool ComesFirst(const Candidate& a, const Candidate& b) {
  const bool a_is_nan = std::isnan(a.value);
  const bool b_is_nan = std::isnan(b.value);
  if (a_is_nan != b_is_nan) return b_is_nan;
  if (!a_is_nan && a.value != b.value) return a.value > b.value;
  return a.id < b.id;
}

class TopKStep : public RowStep {
 public:
  explicit TopKStep(const OpView& op)
      : x_(op.in(0), true), values_(op.out(0)), ids_(op.out(1)), k_(op.out(0).dims[1]) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const std::int64_t n = x_.length();
    for (std::int64_t row = begin; row < end; ++row) {
      const float* x = x_.Read(context, row, 0, scratch);
      std::vector<Candidate> best;  // a heap whose first is the worst of them
      best.reserve(static_cast<std::size_t>(k_));
      for (std::int64_t i = 0; i < k_; ++i) best.push_back({x[i], static_cast<std::int32_t>(i)});
      std::ranges::make_heap(best, ComesFirst);
      std::int64_t i = k_;
      while ((i = context.kernels->find_above(x, i, n, best.front().value)) < n) {
        const Candidate candidate = {x[i], static_cast<std::int32_t>(i)};
        if (ComesFirst(candidate, best.front())) {
          std::ranges::pop_heap(best, ComesFirst);
          best.back() = candidate;
          std::ranges::push_heap(best, ComesFirst);
        }
        ++i;
      }
      std::ranges::sort_heap(best, ComesFirst);
      auto* values = reinterpret_cast<float*>(context.At(values_, row));
      auto* ids = reinterpret_cast<std::int32_t*>(context.At(ids_, row));
      for (std::size_t j = 0; j < best.size(); ++j) {
        values[j] = best[j].value;
        ids[j] = best[j].id;
      }
    }
  }
  std::int64_t scratch_floats() const override { return x_.length(); }
  std::int64_t row_work() const override { return x_.length(); }

 private:
  RowRuns x_;
  Operand values_;
  Operand ids_;
  std::int64_t k_;
};

class RouterTopKStep : public RowStep {
 public:
  explicit RouterTopKStep(const OpView& op)
      : logits_(op.in(0), true),
        bias_(op.inputs[1] == nullptr ? nullptr : op.in(1).weight->vector()),
        ids_(op.out(0)),
        weights_(op.out(1)),
        op_(*op.op) {}

  void Run(RunContext& context, std::int64_t begin, std::int64_t end, float* scratch) override {
    const std::int64_t experts = logits_.length();
    const std::int64_t k = ids_.dims[1];
    float* scores = scratch + experts;
    for (std::int64_t row = begin; row < end; ++row) {
      const float* logits = logits_.Read(context, row, 0, scratch);
      Score(*context.kernels, logits, experts, scores);
      std::vector<Candidate> order;
      order.reserve(static_cast<std::size_t>(experts));
      for (std::int64_t e = 0; e < experts; ++e) {
        order.push_back(
            {scores[e] + (bias_ == nullptr ? 0.0F : bias_[e]), static_cast<std::int32_t>(e)});
      }
      std::partial_sort(order.begin(), order.begin() + k, order.end(), ComesFirst);
      auto* ids = reinterpret_cast<std::int32_t*>(context.At(ids_, row));
      auto* weights = reinterpret_cast<float*>(context.At(weights_, row));
      float sum = 0;
      for (std::int64_t j = 0; j < k; ++j) {
        ids[j] = order[static_cast<std::size_t>(j)].id;
        weights[j] = scores[ids[j]];
        sum += weights[j];
      }
      const float factor = op_.router_renormalise != 0 ? op_.scale / sum : op_.scale;
      for (std::int64_t j = 0; j < k; ++j) weights[j] *= factor;
    }
  }
  std::int64_t scratch_floats() const override { return 2 * logits_.length(); }
  std::int64_t row_work() const override { return 8 * logits_.length(); }

 private:
  void Score(const KernelTable& kernels, const float* logits, std::int64_t experts,
             float* scores) const {
    if (op_.scoring == SY_SCORING_SIGMOID) {
      for (std::int64_t e = 0; e < experts; ++e) scores[e] = 1.0F / (1.0F + std::exp(-logits[e]));
      return;
    }
    const float sum = kernels.exp_sum(logits, scores, experts, kernels.maximum(logits, experts));
    for (std::int64_t e = 0; e < experts; ++e) scores[e] /= sum;
  }

  RowRuns logits_;
  const float* bias_;
  Operand ids_;
  Operand weights_;
  sy_op op_;
};

}  // namespace

std::unique_ptr<RowStep> MakeTopK(const OpView& op) { return std::make_unique<TopKStep>(op); }
std::unique_ptr<RowStep> MakeRouterTopK(const OpView& op) {
  return std::make_unique<RouterTopKStep>(op);
}

}  // namespace switchyard::cpu
