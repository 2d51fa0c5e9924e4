#include "engine/generation.h"

#include <algorithm>
#include <chrono>

#include "engine/stop_matcher.h"

namespace switchyard::engine {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Keeps of `sequence` what begins `prompt` too, but never all of it: one token must be run for
// logits.
void ReusePrefix(Runner& runner, Sequence& sequence, const std::vector<TokenId>& prompt) {
  const auto [ours, theirs] = std::ranges::mismatch(sequence.tokens, prompt);
  const auto shared = std::min<std::int64_t>(ours - sequence.tokens.begin(),
                                             static_cast<std::int64_t>(prompt.size()) - 1);
  runner.Truncate(sequence, std::min(shared, sequence.cached));
  sequence.tokens = prompt;
}

bool Contains(std::span<const TokenId> ids, TokenId id) {
  return std::ranges::find(ids, id) != ids.end();
}

}  // namespace

base::Result<Generation> Generate(Runner& runner, const model::Tokenizer& tokenizer,
                                  Sequence& sequence, const GenerationRequest& request,
                                  const TextSink& sink) {
  SWITCHYARD_RETURN_IF_ERROR(Validate(request.sampling));
  const auto context = runner.options().context_tokens;
  const auto prompt_size = static_cast<std::int64_t>(request.prompt.size());
  if (prompt_size == 0) {
    return base::Fail(base::ErrorCode::kInvalidArgument, "the prompt has no tokens");
  }
  if (prompt_size >= context) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "the prompt has {} tokens and the context {}: shorten it or ask for a larger "
                      "context",
                      prompt_size, context);
  }
  Generation result;
  ReusePrefix(runner, sequence, request.prompt);
  result.prefill_tokens = prompt_size - sequence.cached;
  const auto start = Clock::now();
  SWITCHYARD_TRY(std::span<const float> logits, runner.Advance(sequence));
  result.prefill_s = SecondsSince(start);

  model::TokenStream stream(tokenizer);
  StopMatcher stops(request.stops);
  const auto decode_start = Clock::now();
  const std::int64_t limit = request.max_tokens < 0
                                 ? context - prompt_size
                                 : std::min(request.max_tokens, context - prompt_size);
  result.finish = FinishReason::kLength;
  bool wanted = true;
  while (static_cast<std::int64_t>(result.tokens.size()) < limit) {
    SWITCHYARD_TRY(const TokenId token,
                   Sample(logits, request.sampling, request.prompt, result.tokens));
    result.tokens.push_back(token);
    if (Contains(request.end_tokens, token)) {
      result.finish = FinishReason::kEnd;
      break;
    }
    if (Contains(request.stop_tokens, token)) {
      result.finish = FinishReason::kStop;
      break;
    }
    const std::string text = stops.Push(stream.Push(token));
    if (!text.empty()) wanted = sink(text);
    if (stops.stopped() || !wanted) {
      result.finish = wanted ? FinishReason::kStop : FinishReason::kCancelled;
      break;
    }
    if (static_cast<std::int64_t>(result.tokens.size()) == limit) break;
    sequence.tokens.push_back(token);
    SWITCHYARD_TRY(logits, runner.Advance(sequence));
    ++result.decode_steps;
  }
  result.decode_s = SecondsSince(decode_start);
  if (wanted && !stops.stopped()) {
    const std::string rest = stops.Push(stream.Finish()) + stops.Finish();
    if (!rest.empty()) sink(rest);
  }
  return result;
}

}  // namespace switchyard::engine
