#include "certify/equivalence.h"

#include <algorithm>

#include "certify/divergence.h"

namespace switchyard::certify {
namespace {

using engine::Runner;
using engine::Sequence;
using engine::StepItem;
using model::TokenId;
using Tokens = std::vector<TokenId>;

// The same sequences on both chips. Each has its own cache, so each its own sequence.
class Pair {
 public:
  Pair(Runner& a, Runner& b) : a_(a), b_(b) {}
  ~Pair() { Clear(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void Clear() {
    for (Sequence& sequence : of_a_) a_.Release(sequence);
    for (Sequence& sequence : of_b_) b_.Release(sequence);
    of_a_.clear();
    of_b_.clear();
  }

  void Begin(std::vector<Tokens> texts) {
    Clear();
    for (Tokens& text : texts) {
      of_a_.push_back({text, 0, {}});
      of_b_.push_back({std::move(text), 0, {}});
    }
  }

  // Feeds the next counts[i] tokens of each text in one step of each chip, and hands each pair of
  // logits to `statistics`, if there is one. `all`: of every token of the first texts.
  base::Status Step(const std::vector<std::int64_t>& counts, std::size_t with_all_logits,
                    DivergenceStatistics* statistics) {
    const auto items_of = [&](std::vector<Sequence>& sequences) {
      std::vector<StepItem> items;
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        if (counts[i] > 0) items.push_back({&sequences[i], counts[i], i < with_all_logits});
      }
      return items;
    };
    const std::vector<StepItem> items = items_of(of_a_);
    // Which token follows each row of logits.
    std::vector<std::optional<TokenId>> next;
    for (const StepItem& item : items) {
      const Sequence& sequence = *item.sequence;
      for (std::int64_t i = item.all_logits ? 0 : item.count - 1; i < item.count; ++i) {
        const auto at = static_cast<std::size_t>(sequence.cached + i + 1);
        next.push_back(at < sequence.tokens.size() ? std::optional(sequence.tokens[at])
                                                   : std::nullopt);
      }
    }
    SWITCHYARD_TRY(const auto logits_a, a_.Step(items));
    SWITCHYARD_TRY(const auto logits_b, b_.Step(items_of(of_b_)));
    if (statistics == nullptr) return {};
    const auto width = static_cast<std::size_t>(a_.vocabulary_size());
    for (std::size_t row = 0; row < next.size(); ++row) {
      statistics->Add(logits_a.subspan(row * width, width), logits_b.subspan(row * width, width),
                      next[row]);
    }
    return {};
  }

 private:
  Runner& a_;
  Runner& b_;
  std::vector<Sequence> of_a_;
  std::vector<Sequence> of_b_;
};

// `count` tokens of the passages one after the other, again from the start at the end.
Tokens Concatenate(const std::vector<Tokens>& passages, std::int64_t from, std::int64_t count) {
  Tokens all;
  for (const Tokens& passage : passages) all.insert(all.end(), passage.begin(), passage.end());
  Tokens taken;
  for (std::int64_t i = 0; i < count; ++i) {
    taken.push_back(all[static_cast<std::size_t>(from + i) % all.size()]);
  }
  return taken;
}

// The scenarios of one measurement.
class Scenarios {
 public:
  Scenarios(Runner& a, Runner& b, const std::vector<Tokens>& passages,
            const EquivalenceOptions& options, const Progress& progress)
      : pair_(a, b), passages_(passages), options_(options), progress_(progress) {
    const std::int64_t context = std::min(a.options().context_tokens, b.options().context_tokens);
    chunk_ = std::min(a.options().chunk_tokens, b.options().chunk_tokens);
    long_ = std::min(options.long_context, context - options.decode_steps - 1);
    short_ = std::min<std::int64_t>(context - options.decode_steps - 1, 64);
  }

  base::Result<std::vector<Divergence>> Measure() {
    SWITCHYARD_RETURN_IF_ERROR(ShortPrefills());
    SWITCHYARD_RETURN_IF_ERROR(BatchPrefillAndDecode());
    SWITCHYARD_RETURN_IF_ERROR(ShortDecode());
    SWITCHYARD_RETURN_IF_ERROR(LongPrefillAndDecode());
    return std::move(divergences_);
  }

 private:
  void Finish(Divergence divergence, const DivergenceStatistics& statistics) {
    statistics.Summarise(divergence);
    divergences_.push_back(std::move(divergence));
  }

  base::Status ShortPrefills() {
    const std::string name = "prefill, short contexts, one sequence";
    DivergenceStatistics statistics;
    std::int64_t done = 0;
    std::int64_t longest = 0;
    for (const Tokens& passage : passages_) {
      const auto count =
          std::min({static_cast<std::int64_t>(passage.size()), chunk_,
                    std::max(short_, std::int64_t{256}), long_, options_.positions - done});
      if (count < 2) continue;
      pair_.Begin({Tokens(passage.begin(), passage.begin() + count)});
      SWITCHYARD_RETURN_IF_ERROR(pair_.Step({count}, 1, &statistics));
      done += count;
      longest = std::max(longest, count);
      progress_(name, done, options_.positions);
    }
    Finish({.scenario = name,
            .is_prefill = true,
            .sequences = 1,
            .step_tokens = longest,
            .context = longest},
           statistics);
    return {};
  }

  // As many tokens in one step as the runners take, then steps of one token each.
  base::Status BatchPrefillAndDecode() {
    const std::string prefill = fmt::format("prefill, {} sequences at once", options_.batch);
    const std::string decode = fmt::format("decode, {} sequences at once", options_.batch);
    std::vector<Tokens> texts;
    std::vector<std::int64_t> counts;
    std::int64_t tokens = 0;
    for (std::int64_t i = 0; i < options_.batch; ++i) {
      const std::int64_t count =
          std::max<std::int64_t>(1, std::min(chunk_ / options_.batch, short_) - i % 5);
      texts.push_back(Concatenate(passages_, i * 173, count + options_.decode_steps + 1));
      counts.push_back(count);
      tokens += count;
    }
    pair_.Begin(std::move(texts));
    DivergenceStatistics of_prefill;
    SWITCHYARD_RETURN_IF_ERROR(
        pair_.Step(counts, std::min<std::size_t>(4, counts.size()), &of_prefill));
    Finish({.scenario = prefill,
            .is_prefill = true,
            .sequences = options_.batch,
            .step_tokens = tokens,
            .context = counts[0]},
           of_prefill);
    DivergenceStatistics of_decode;
    const std::vector<std::int64_t> ones(counts.size(), 1);
    const std::int64_t steps = options_.decode_steps / 2;
    for (std::int64_t i = 0; i < steps; ++i) {
      SWITCHYARD_RETURN_IF_ERROR(pair_.Step(ones, 0, &of_decode));
      progress_(decode, i + 1, steps);
    }
    Finish({.scenario = decode,
            .is_prefill = false,
            .sequences = options_.batch,
            .step_tokens = options_.batch,
            .context = counts[0] + steps},
           of_decode);
    return {};
  }

  base::Status ShortDecode() {
    constexpr std::int64_t kPrompt = 8;
    pair_.Begin({Concatenate(passages_, 0, kPrompt + options_.decode_steps + 1)});
    SWITCHYARD_RETURN_IF_ERROR(pair_.Step({kPrompt}, 0, nullptr));
    return Decode("decode, short context, one sequence", kPrompt);
  }

  base::Status LongPrefillAndDecode() {
    const std::string name = "prefill, long context, one sequence";
    pair_.Begin({Concatenate(passages_, 0, long_ + options_.decode_steps + 1)});
    const std::int64_t compared = std::min({options_.long_positions, chunk_, long_});
    for (std::int64_t done = 0; done < long_ - compared;) {
      const std::int64_t count = std::min(chunk_, long_ - compared - done);
      SWITCHYARD_RETURN_IF_ERROR(pair_.Step({count}, 0, nullptr));
      done += count;
      progress_(name, done, long_);
    }
    DivergenceStatistics statistics;
    SWITCHYARD_RETURN_IF_ERROR(pair_.Step({compared}, 1, &statistics));
    Finish({.scenario = name,
            .is_prefill = true,
            .sequences = 1,
            .step_tokens = chunk_,
            .context = long_},
           statistics);
    return Decode("decode, long context, one sequence", long_);
  }

  base::Status Decode(const std::string& name, std::int64_t depth) {
    DivergenceStatistics statistics;
    for (std::int64_t i = 0; i < options_.decode_steps; ++i) {
      SWITCHYARD_RETURN_IF_ERROR(pair_.Step({1}, 0, &statistics));
      progress_(name, i + 1, options_.decode_steps);
    }
    Finish({.scenario = name,
            .is_prefill = false,
            .sequences = 1,
            .step_tokens = 1,
            .context = depth + options_.decode_steps},
           statistics);
    return {};
  }

  Pair pair_;
  const std::vector<Tokens>& passages_;
  const EquivalenceOptions& options_;
  const Progress& progress_;
  std::int64_t chunk_ = 0;
  std::int64_t long_ = 0;   // tokens of the long context
  std::int64_t short_ = 0;  // and of a short one in a batch
  std::vector<Divergence> divergences_;
};

// The next token that a chip chooses by itself, and how sure it is.
struct Choice {
  TokenId token;
  double gap;
};

base::Result<Choice> Next(Runner& runner, Sequence& sequence) {
  SWITCHYARD_TRY(const auto logits, runner.Advance(sequence));
  return Choice{static_cast<TokenId>(Best(logits)), GapToSecond(logits)};
}

base::Status CompareText(Runner& a, Runner& b, std::span<const TokenId> end_tokens,
                         std::int64_t tokens, Sequence& on_a, Sequence& on_b, GreedyText& text) {
  for (; text.tokens < tokens; ++text.tokens) {
    SWITCHYARD_TRY(const Choice of_a, Next(a, on_a));
    SWITCHYARD_TRY(const Choice of_b, Next(b, on_b));
    if (of_a.token != of_b.token) {
      text.first_difference = text.tokens;
      text.gap = of_a.gap;
      return {};
    }
    if (std::ranges::find(end_tokens, of_a.token) != end_tokens.end()) return {};
    on_a.tokens.push_back(of_a.token);
    on_b.tokens.push_back(of_b.token);
  }
  return {};
}

}  // namespace

engine::RunnerOptions RunnerOptionsFor(const EquivalenceOptions& options,
                                       const model::ModelConfig& config) {
  engine::RunnerOptions runner;
  runner.context_tokens =
      std::min(options.long_context + options.decode_steps + 64, config.context_length);
  runner.sequences = options.batch;
  runner.chunk_tokens = 1024;
  return runner;
}

base::Result<std::vector<Divergence>> MeasureDivergences(Runner& a, Runner& b,
                                                         const std::vector<Tokens>& passages,
                                                         const EquivalenceOptions& options,
                                                         const Progress& progress) {
  return Scenarios(a, b, passages, options, progress).Measure();
}

base::Result<std::vector<GreedyText>> CompareGreedyTexts(Runner& a, Runner& b,
                                                         const std::vector<Prompt>& prompts,
                                                         std::span<const TokenId> end_tokens,
                                                         const EquivalenceOptions& options,
                                                         const Progress& progress) {
  const std::int64_t context = std::min(a.options().context_tokens, b.options().context_tokens);
  std::vector<GreedyText> texts;
  for (const Prompt& prompt : prompts) {
    const auto length = static_cast<std::int64_t>(prompt.tokens.size());
    const std::int64_t tokens = std::min(options.greedy_tokens, context - length);
    Sequence on_a{prompt.tokens, 0, {}};
    Sequence on_b{prompt.tokens, 0, {}};
    GreedyText& text = texts.emplace_back();
    text.prompt = prompt.name;
    auto status = CompareText(a, b, end_tokens, tokens, on_a, on_b, text);
    a.Release(on_a);
    b.Release(on_b);
    SWITCHYARD_RETURN_IF_ERROR(std::move(status));
    progress("texts that each chip writes by itself", static_cast<std::int64_t>(texts.size()),
             static_cast<std::int64_t>(prompts.size()));
  }
  return texts;
}

}  // namespace switchyard::certify
