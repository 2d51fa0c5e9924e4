// Which tokens a request forbids at a place of its answer, whatever their logits say. Pure; any
// thread.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "model/tokenizer.h"

namespace switchyard::engine {

using model::TokenId;

// The logit of what may not come.
inline constexpr float kNever = -std::numeric_limits<float>::infinity();

struct TokenRules {
  std::int64_t min_tokens = 0;                 // before so many, nothing ends the answer
  std::vector<TokenId> allowed = {};           // none: all
  std::vector<std::vector<TokenId>> bad = {};  // sequences that the answer does not hold

  bool forbid_nothing() const { return min_tokens == 0 && allowed.empty() && bad.empty(); }
};

// Lowers the logits [V] of tokens that may not come after `answer` to kNever. `ends`: those that
// would end it, each list.
void Forbid(const TokenRules& rules, std::span<const TokenId> answer,
            std::span<const std::vector<TokenId>* const> ends, std::span<float> logits);

}  // namespace switchyard::engine
