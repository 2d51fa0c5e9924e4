// WordPiece (Schuster and Nakajima, 2012; BERT): from the left, the longest token that fits; a word
// that can't be covered is unknown as a whole.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/internal/tokenizer/token_model.h"
#include "model/internal/tokenizer/trie.h"

namespace switchyard::model::tokenization {

class WordPiece : public TokenModel {
 public:
  // Tokens that begin with `prefix` continue a word. Words of more than `max_characters` are
  // unknown.
  WordPiece(const Vocabulary& vocabulary, std::string prefix, TokenId unknown,
            std::size_t max_characters);

  void Tokenize(std::string_view piece, std::vector<TokenId>* ids) const override;

 private:
  Trie starting_;
  Trie continuing_;  // without the prefix
  TokenId unknown_;
  std::size_t max_characters_;
};

}  // namespace switchyard::model::tokenization
