// The unigram language model (Kudo, 2018): the segmentation whose tokens' log probabilities have
// the highest sum, found by Viterbi's algorithm.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "model/internal/tokenizer/byte_fallback.h"
#include "model/internal/tokenizer/token_model.h"
#include "model/internal/tokenizer/trie.h"

namespace switchyard::model::tokenization {

class Unigram : public TokenModel {
 public:
  struct Entry {
    TokenId token;
    double score;
  };

  // `entries` are the tokens that text may become; `vocabulary` must outlive the model.
  Unigram(const Vocabulary& vocabulary, const std::vector<Entry>& entries,
          std::optional<TokenId> unknown, bool byte_fallback);

  void Tokenize(std::string_view piece, std::vector<TokenId>* ids) const override;

 private:
  Trie trie_;  // of the names, with the place in entries_
  std::vector<Entry> entries_;
  std::optional<TokenId> unknown_;
  double unknown_score_;
  ByteFallback bytes_;
  bool byte_fallback_;
};

}  // namespace switchyard::model::tokenization
