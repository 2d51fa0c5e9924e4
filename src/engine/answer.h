// One request on its way to its end: its tokens so far, the text that they make, and what ends it.
// A pure function of the request and the logits that it is given, whatever runs beside it. One
// thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "engine/completion_service.h"
#include "engine/sampling.h"
#include "engine/step_inputs.h"
#include "engine/stop_matcher.h"
#include "grammar/matcher.h"
#include "model/tokenizer.h"

namespace switchyard::engine {

// Whether `request` can run in a context of `context_tokens`; the sentence says why not.
base::Status Validate(const CompletionRequest& request, std::int64_t context_tokens,
                      std::int64_t vocabulary);

class Answer {
 public:
  // The request is valid. Its max_tokens counts the resumed tokens too: it is the same request.
  // What they said is not said again.
  Answer(CompletionRequest request, const model::Tokenizer& tokenizer, std::int64_t context_tokens);

  const CompletionRequest& request() const { return request_; }
  // Prompt and answer.
  Sequence& sequence() { return sequence_; }
  const Sequence& sequence() const { return sequence_; }
  std::int64_t prompt_tokens() const { return static_cast<std::int64_t>(request_.prompt.size()); }
  // Not counting the resumed ones.
  std::int64_t new_tokens() const {
    return static_cast<std::int64_t>(sequence_.tokens.size() - request_.resumed.size()) -
           prompt_tokens();
  }
  // What the resumed tokens said, as far as it is certain.
  const std::string& resumed_text() const { return resumed_text_; }
  // What ended it; none while it goes on.
  std::optional<CompletionEnd> end() const { return end_; }

  // The next token, from the logits [V] after all tokens so far.
  base::Result<CompletionDelta> Next(std::span<const float> logits);

 private:
  // Appends the token; returns the text that is certain by now.
  std::string Accept(TokenId token);
  // At the end: what could still have become another character or a stop string.
  std::string HeldBack();
  // Forbids what the grammar does not let follow. True: a token can come.
  base::Result<bool> Constrain(std::span<float> scores);

  CompletionRequest request_;
  Sequence sequence_;
  std::int64_t most_tokens_;  // of the answer
  model::TokenStream stream_;
  StopMatcher stops_;
  std::optional<grammar::Matcher> matcher_;  // of a request with a grammar
  bool fits_ = true;                         // the tokens so far, that grammar
  std::optional<CompletionEnd> end_;
  std::string resumed_text_;
};

// The log-softmax of `logits` at `token`, and at the `best` largest, the lower id first among
// equals. NaN counts as minus infinity.
CompletionToken WithLogprobs(TokenId token, std::span<const float> logits, std::int32_t best);

}  // namespace switchyard::engine
