// One answer: feeds a prompt, then samples and feeds token after token until something ends it,
// giving out text as it becomes certain.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/runner.h"
#include "engine/sampling.h"

namespace switchyard::engine {

struct GenerationRequest {
  std::vector<TokenId> prompt;
  SamplingParameters sampling;
  std::int64_t max_tokens = -1;      // -1: up to the context's end
  std::vector<std::string> stops;    // never part of the text
  std::vector<TokenId> end_tokens;   // the model's own; none: go on past them
  std::vector<TokenId> stop_tokens;  // the caller's
};

enum class FinishReason { kEnd, kStop, kLength, kCancelled };

struct Generation {
  std::vector<TokenId> tokens;  // the answer's, the one that ended it included
  FinishReason finish = FinishReason::kEnd;
  std::int64_t prefill_tokens = 0;  // that were not in the cache already
  double prefill_s = 0;
  std::int64_t decode_steps = 0;
  double decode_s = 0;  // sampling included
};

// Called with each piece of text; false cancels.
using TextSink = std::function<bool(std::string_view)>;

// `sequence` may hold an earlier text: what it shares with the prompt is not computed again. It is
// left holding prompt and answer.
base::Result<Generation> Generate(Runner& runner, const model::Tokenizer& tokenizer,
                                  Sequence& sequence, const GenerationRequest& request,
                                  const TextSink& sink);

}  // namespace switchyard::engine
