#include "certify/verdict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace switchyard::certify {
namespace {

// Fewer say nothing of a 99th percentile.
constexpr std::int64_t kLeastPositions = 400;

template <typename Values, typename Member>
double Largest(const Values& values, Member member) {
  double largest = 0;
  for (const auto& value : values) {
    // What is no number must not slip through a comparison.
    if (std::isnan(value.*member)) return INFINITY;
    largest = std::max(largest, static_cast<double>(value.*member));
  }
  return largest;
}

double LargestPerplexityDifference(const std::vector<Divergence>& divergences) {
  double largest = 0;
  for (const Divergence& one : divergences) {
    if (one.perplexity_a == 0) continue;
    const double difference = std::abs(one.perplexity_b / one.perplexity_a - 1);
    largest = std::isnan(difference) ? INFINITY : std::max(largest, difference);
  }
  return largest;
}

std::string Times(std::int64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string Sentence(const Certificate& certificate) {
  const Verdict& verdict = certificate.verdict;
  if (verdict.is_equivalent) {
    std::int64_t on_fallback = 0;
    for (const auto& one : certificate.operations) on_fallback += one.on_fallback;
    std::string sentence =
        fmt::format("The answers of '{}' are as good as those of '{}' within the stated bounds",
                    certificate.fingerprint.b.chip, certificate.fingerprint.a.chip);
    if (on_fallback > 0) {
      sentence += fmt::format(", with {} run on the reference in its place",
                              Times(on_fallback, "operation"));
    }
    return sentence + ".";
  }
  std::vector<std::string> broken;
  for (const Check& check : verdict.checks) {
    if (!check.is_kept) broken.push_back(check.what);
  }
  std::string sentence = fmt::format("Refused: {}.", fmt::join(broken, "; "));
  if (!certificate.excesses.empty()) {
    const OperationExcess& first = certificate.excesses.front();
    sentence += fmt::format(" The first operation that is wrong is {}{}{}, in {}: {}.",
                            first.operation, first.weight.empty() ? "" : " " + first.weight,
                            first.layer < 0 ? "" : fmt::format(" of layer {}", first.layer),
                            first.step, first.complaint);
  } else {
    sentence +=
        " No operation by itself is wrong: look at how the chip fuses, plans or synchronises whole "
        "programs, and at the layer where the drift begins.";
  }
  return sentence;
}

}  // namespace

Bounds BoundsFor(ops::Operands operands) {
  switch (operands) {
    case ops::Operands::kInt8:
      return {1e-2, 0.1, 2.0, 0.93, 0.02, 0.5};
    case ops::Operands::kBF16:
      return {2e-3, 0.02, 0.5, 0.97, 0.01, 0.2};
    default:
      return {1e-4, 1e-3, 0.02, 0.99, 0.002, 0.05};
  }
}

void Judge(Certificate& certificate, const Bounds& bounds, std::vector<std::string> guilty) {
  Verdict& verdict = certificate.verdict;
  verdict.checks.clear();
  verdict.guilty = std::move(guilty);
  certificate.kl_bounds = {bounds.mean_kl, bounds.p99_kl, bounds.worst_kl};
  const auto at_most = [&](std::string what, double found, double bound) {
    verdict.checks.push_back({std::move(what), fmt::format("{:.3g}", found),
                              fmt::format("at most {:g}", bound), found <= bound});
  };
  const std::vector<Divergence>& divergences = certificate.divergences;
  std::int64_t positions = 0;
  double with_same_best = 0;
  for (const Divergence& one : divergences) {
    positions += one.positions;
    with_same_best += one.same_best * static_cast<double>(one.positions);
  }
  // Over all scenarios: in a short one a single near tie would weigh several per cent.
  const double same_best =
      with_same_best / static_cast<double>(std::max<std::int64_t>(positions, 1));
  verdict.checks.push_back({"positions compared", fmt::format("{}", positions),
                            fmt::format("at least {}", kLeastPositions),
                            positions >= kLeastPositions});
  at_most("mean KL of a scenario", Largest(divergences, &Divergence::mean_kl), bounds.mean_kl);
  at_most("99th percentile of KL", Largest(divergences, &Divergence::p99_kl), bounds.p99_kl);
  at_most("worst KL of a position", Largest(divergences, &Divergence::worst_kl), bounds.worst_kl);
  verdict.checks.push_back(
      {"share of positions with the same best token", fmt::format("{:.2f} %", 100 * same_best),
       fmt::format("at least {:g} %", 100 * bounds.same_best), same_best >= bounds.same_best});
  at_most("relative difference of perplexity", LargestPerplexityDifference(divergences),
          bounds.perplexity);
  at_most("gap of the two best logits where greedy texts part",
          Largest(certificate.greedy, &GreedyText::gap), bounds.greedy_gap);

  std::int64_t exceeded = 0;
  std::int64_t compared = 0;
  for (const OperationAgreement& one : certificate.operations) {
    exceeded += one.exceeded;
    compared += one.compared;
  }
  verdict.checks.push_back({"operations beyond their tolerance",
                            fmt::format("{} of {}", exceeded, compared), "none",
                            exceeded == 0 && compared > 0});
  const Soak& soak = certificate.soak;
  verdict.checks.push_back({"steps of the soak that changed their result",
                            fmt::format("{} of {}", soak.changed, soak.steps), "none",
                            soak.changed == 0 && soak.steps > 0});
  verdict.is_equivalent =
      std::ranges::all_of(verdict.checks, [](const Check& check) { return check.is_kept; });
  verdict.sentence = Sentence(certificate);
}

}  // namespace switchyard::certify
