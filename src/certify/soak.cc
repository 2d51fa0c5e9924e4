#include "certify/soak.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/seconds_since.h"
#include "certify/divergence.h"

namespace switchyard::certify {

base::Result<Soak> RunSoak(engine::Runner& runner, std::span<const model::TokenId> text,
                           std::int64_t steps, double kl_bound, const Progress& progress) {
  // A few depths, among them both sides of a page's edge.
  const std::int64_t page = runner.options().page_size;
  const std::int64_t most =
      std::min(runner.options().context_tokens, static_cast<std::int64_t>(text.size()));
  std::vector<std::int64_t> depths;
  for (const std::int64_t depth : {std::int64_t{1}, page, page + 1, 2 * page + page / 2}) {
    if (depth < most) depths.push_back(depth);
  }
  std::vector<engine::Sequence> sequences(depths.size());
  std::vector<std::vector<float>> first(depths.size());
  const auto decode = [&](std::size_t which) -> base::Result<std::span<const float>> {
    engine::Sequence& sequence = sequences[which];
    runner.Truncate(sequence, depths[which]);
    sequence.tokens.assign(text.begin(), text.begin() + depths[which] + 1);
    return runner.Advance(sequence);
  };
  // The first time a whole prompt is run, later only its last token: not the same work.
  for (std::size_t which = 0; which < depths.size(); ++which) {
    SWITCHYARD_TRY([[maybe_unused]] const auto logits, decode(which));
  }
  Soak soak;
  const auto start = std::chrono::steady_clock::now();
  base::Status status;
  for (; soak.steps < steps && !soak.first_excess; ++soak.steps) {
    const auto which = static_cast<std::size_t>(soak.steps) % depths.size();
    const auto logits = decode(which);
    if (!logits) {
      status = std::unexpected(logits.error());
      break;
    }
    if (first[which].empty()) {
      first[which].assign(logits->begin(), logits->end());
    } else if (std::memcmp(first[which].data(), logits->data(), logits->size_bytes()) != 0) {
      ++soak.changed;
      soak.worst_kl = std::max(soak.worst_kl, KlDivergence(first[which], *logits));
      if (soak.worst_kl > kl_bound) soak.first_excess = soak.steps;
    }
    progress("soak", soak.steps + 1, steps);
  }
  for (engine::Sequence& sequence : sequences) runner.Release(sequence);
  SWITCHYARD_RETURN_IF_ERROR(std::move(status));
  soak.seconds = base::SecondsSince(start);
  return soak;
}

}  // namespace switchyard::certify
