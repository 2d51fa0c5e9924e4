// One answer: feeds a prompt, then samples and feeds token after token until something ends it,
// giving out text as it becomes certain.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/completion_service.h"
#include "engine/runner.h"

namespace switchyard::engine {

struct Generation {
  std::vector<TokenId> tokens;  // the answer's, the one that ended it included
  CompletionEnd end = CompletionEnd::kEnd;
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
                                  Sequence& sequence, CompletionRequest request,
                                  const TextSink& sink);

}  // namespace switchyard::engine
