#include "engine/throughput.h"

#include <algorithm>
#include <chrono>

#include "base/seconds_since.h"

namespace switchyard::engine {
namespace {

// Token ids that look random and are the same each time.
std::vector<TokenId> SyntheticTokens(std::int64_t count, std::int64_t vocabulary,
                                     std::uint64_t stream) {
  std::vector<TokenId> tokens(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::uint64_t mixed = (stream * 1000003 + i + 1) * 0x9E3779B97F4A7C15ULL;
    tokens[i] = static_cast<TokenId>((mixed >> 33) % static_cast<std::uint64_t>(vocabulary));
  }
  return tokens;
}

class Sequences {
 public:
  Sequences(Runner& runner, std::int64_t count, std::int64_t tokens) : runner_(runner) {
    sequences_.resize(static_cast<std::size_t>(count));
    for (std::size_t b = 0; b < sequences_.size(); ++b) {
      sequences_[b].tokens = SyntheticTokens(tokens, runner.vocabulary_size(), b);
    }
  }
  Sequences(const Sequences&) = delete;
  Sequences& operator=(const Sequences&) = delete;
  ~Sequences() {
    for (Sequence& sequence : sequences_) runner_.Release(sequence);
  }

  // Feeds all uncached tokens, as many a step as fit.
  base::Status Feed() {
    while (true) {
      std::vector<StepItem> items;
      std::int64_t room = runner_.options().chunk_tokens;
      for (Sequence& sequence : sequences_) {
        const auto left = static_cast<std::int64_t>(sequence.tokens.size()) - sequence.cached;
        const std::int64_t count = std::min(left, room);
        if (count == 0) continue;
        items.push_back({&sequence, count});
        room -= count;
      }
      if (items.empty()) return {};
      SWITCHYARD_TRY([[maybe_unused]] const auto logits, runner_.Step(items));
    }
  }

  base::Status Continue(std::int64_t steps) {
    for (std::int64_t step = 0; step < steps; ++step) {
      for (std::size_t b = 0; b < sequences_.size(); ++b) {
        const auto next = SyntheticTokens(1, runner_.vocabulary_size(),
                                          static_cast<std::uint64_t>(step) * 7919 + b);
        sequences_[b].tokens.push_back(next.front());
      }
      SWITCHYARD_RETURN_IF_ERROR(Feed());
    }
    return {};
  }

 private:
  Runner& runner_;
  std::vector<Sequence> sequences_;
};

}  // namespace

base::Result<std::vector<double>> MeasurePrefill(Runner& runner, const Workload& workload,
                                                 std::int64_t repetitions) {
  std::vector<double> samples;
  for (std::int64_t i = -1; i < repetitions; ++i) {  // the first one warms up
    Sequences sequences(runner, workload.sequences, workload.tokens);
    const auto start = std::chrono::steady_clock::now();
    SWITCHYARD_RETURN_IF_ERROR(sequences.Feed());
    const double seconds = base::SecondsSince(start);
    if (i < 0) continue;
    samples.push_back(static_cast<double>(workload.tokens * workload.sequences) / seconds);
  }
  return samples;
}

base::Result<std::vector<double>> MeasureDecode(Runner& runner, const Workload& workload,
                                                std::int64_t repetitions) {
  std::vector<double> samples;
  for (std::int64_t i = -1; i < repetitions; ++i) {
    const std::int64_t steps = i < 0 ? std::min<std::int64_t>(workload.tokens, 8) : workload.tokens;
    Sequences sequences(runner, workload.sequences, std::max<std::int64_t>(workload.depth, 1));
    SWITCHYARD_RETURN_IF_ERROR(sequences.Feed());
    const auto start = std::chrono::steady_clock::now();
    SWITCHYARD_RETURN_IF_ERROR(sequences.Continue(steps));
    const double seconds = base::SecondsSince(start);
    if (i < 0) continue;
    samples.push_back(static_cast<double>(steps * workload.sequences) / seconds);
  }
  return samples;
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace switchyard::engine
