#include "engine/generation.h"

#include <algorithm>
#include <chrono>

#include "base/seconds_since.h"
#include "engine/answer.h"

namespace switchyard::engine {
namespace {

using Clock = std::chrono::steady_clock;

// Keeps of `sequence` what begins `prompt` too, but never all of it: one token must be run for
// logits.
void ReusePrefix(Runner& runner, Sequence& sequence, const std::vector<TokenId>& prompt) {
  const auto [ours, theirs] = std::ranges::mismatch(sequence.tokens, prompt);
  const auto shared = std::min<std::int64_t>(ours - sequence.tokens.begin(),
                                             static_cast<std::int64_t>(prompt.size()) - 1);
  runner.Truncate(sequence, std::min(shared, sequence.cached));
  sequence.tokens = prompt;
}

base::Result<Generation> Finish(Runner& runner, Answer& answer, const TextSink& sink) {
  Generation result;
  Sequence& sequence = answer.sequence();
  const auto before = static_cast<std::ptrdiff_t>(sequence.tokens.size());
  result.prefill_tokens = before - sequence.cached;
  const auto start = Clock::now();
  SWITCHYARD_TRY(std::span<const float> logits, runner.Advance(sequence));
  result.prefill_s = base::SecondsSince(start);

  const auto decode_start = Clock::now();
  bool is_wanted = true;
  while (!answer.end()) {
    SWITCHYARD_TRY(const CompletionDelta delta, answer.Next(logits));
    if (!delta.text.empty()) is_wanted = sink(delta.text);
    if (!is_wanted || answer.end()) break;
    SWITCHYARD_TRY(logits, runner.Advance(sequence));
    ++result.decode_steps;
  }
  result.decode_s = base::SecondsSince(decode_start);
  result.end = is_wanted ? *answer.end() : CompletionEnd::kCancelled;
  result.tokens.assign(sequence.tokens.begin() + before, sequence.tokens.end());
  return result;
}

}  // namespace

base::Result<Generation> Generate(Runner& runner, const model::Tokenizer& tokenizer,
                                  Sequence& sequence, CompletionRequest request,
                                  const TextSink& sink) {
  const auto context = runner.options().context_tokens;
  SWITCHYARD_RETURN_IF_ERROR(Validate(request, context, runner.vocabulary_size()));
  Answer answer(std::move(request), tokenizer, context);
  ReusePrefix(runner, sequence, answer.sequence().tokens);
  std::swap(answer.sequence(), sequence);
  auto result = Finish(runner, answer, sink);
  std::swap(answer.sequence(), sequence);  // the caller's again, also on an error
  return result;
}

}  // namespace switchyard::engine
