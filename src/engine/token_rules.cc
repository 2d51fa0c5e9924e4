#include "engine/token_rules.h"

#include <algorithm>

namespace switchyard::engine {
namespace {

void ForbidOne(TokenId token, std::span<float> logits) {
  if (token >= 0 && token < std::ssize(logits)) logits[static_cast<std::size_t>(token)] = kNever;
}

}  // namespace

void Forbid(const TokenRules& rules, std::span<const TokenId> answer,
            std::span<const std::vector<TokenId>* const> ends, std::span<float> logits) {
  if (!rules.allowed.empty()) {
    std::vector<bool> may(logits.size(), false);
    for (const TokenId token : rules.allowed) {
      if (token >= 0 && token < std::ssize(logits)) may[static_cast<std::size_t>(token)] = true;
    }
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (!may[i]) logits[i] = kNever;
    }
  }
  if (std::ssize(answer) < rules.min_tokens) {
    for (const std::vector<TokenId>* tokens : ends) {
      for (const TokenId token : *tokens) ForbidOne(token, logits);
    }
  }
  for (const std::vector<TokenId>& word : rules.bad) {
    if (word.empty()) continue;
    const auto before = std::span(word).first(word.size() - 1);
    if (answer.size() < before.size()) continue;
    if (std::ranges::equal(answer.last(before.size()), before)) ForbidOne(word.back(), logits);
  }
}

}  // namespace switchyard::engine
