// What turns one piece of pre-tokenized text into token ids; BPE, unigram and WordPiece are such.
#pragma once

#include <string_view>
#include <vector>

#include "model/internal/tokenizer/vocabulary.h"

namespace switchyard::model::tokenization {

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the tokens of `piece`, which is valid UTF-8 and not empty. Any thread may call.
  virtual void Tokenize(std::string_view piece, std::vector<TokenId>* ids) const = 0;
};

}  // namespace switchyard::model::tokenization
