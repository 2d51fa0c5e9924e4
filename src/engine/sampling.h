// From logits to the next token. A pure function of the logits, the parameters and the tokens so
// far: no state is kept, so a sequence resumes anywhere from its tokens, its parameters and its
// seed.
//
// Steps, in this order (vLLM's): penalties, logit bias, temperature, min-p, top-k, typical, top-p,
// and a draw. Any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/tokenizer.h"

namespace switchyard::engine {

using model::TokenId;

struct SamplingParameters {
  float temperature = 1.0F;  // 0: greedy, the lowest id among equal logits
  std::int32_t top_k = 0;    // 0: off
  float top_p = 1.0F;        // the smallest set whose probability reaches this
  float min_p = 0.0F;        // at least this share of the best token's probability
  float typical_p = 1.0F;    // locally typical sampling, Meister et al. 2022 (arXiv:2202.00666)
  float repetition_penalty = 1.0F;  // Keskar et al. 2019 (arXiv:1909.05858), over prompt and answer
  float presence_penalty = 0.0F;    // OpenAI's, over the answer
  float frequency_penalty = 0.0F;   // OpenAI's, over the answer
  std::vector<std::pair<TokenId, float>> logit_bias;
  std::uint64_t seed = 0;
  std::uint32_t choice = 0;  // of several answers to one prompt
};

// Whether each value lies in the range that makes sense; the error names the parameter.
base::Status Validate(const SamplingParameters& parameters);

// The next token, from `logits` [V]. A NaN logit never wins; if there is no finite logit, the
// model or the chip is broken and the error says so.
base::Result<TokenId> Sample(std::span<const float> logits, const SamplingParameters& parameters,
                             std::span<const TokenId> prompt, std::span<const TokenId> answer);

}  // namespace switchyard::engine
