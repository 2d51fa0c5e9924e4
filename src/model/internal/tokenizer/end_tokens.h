// Which tokens end an answer. Files name one or two; models use more, under names that are known.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "model/internal/tokenizer/vocabulary.h"

namespace switchyard::model::tokenization {

// `stated` are those that the file states. Of the known names, those count that `is_eligible`
// agrees to, which keeps ordinary text like "</s>" in a vocabulary of code from ending an answer.
std::vector<TokenId> FindEndTokens(const Vocabulary& vocabulary, const std::vector<TokenId>& stated,
                                   const std::function<bool(TokenId)>& is_eligible);

}  // namespace switchyard::model::tokenization
