// SentencePiece's BPE: adjacent symbols whose joint text is a token are merged, the highest score
// first, the leftmost of equals (Kudo and Richardson, 2018, and bpe_model of the library). Used for
// GGUF files of the kind "llama", which have scores and no merges.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/internal/tokenizer/byte_fallback.h"
#include "model/internal/tokenizer/token_model.h"

namespace switchyard::model::tokenization {

class SentencePieceBpe : public TokenModel {
 public:
  struct Entry {
    TokenId token;
    float score;
  };

  // `entries` are the tokens that text may become; `vocabulary` must outlive the model.
  SentencePieceBpe(const Vocabulary& vocabulary, const std::vector<Entry>& entries,
                   std::optional<TokenId> unknown);

  void Tokenize(std::string_view piece, std::vector<TokenId>* ids) const override;

 private:
  ByteFallback bytes_;
  std::optional<TokenId> unknown_;
  std::unordered_map<std::string_view, Entry> entries_;
  std::size_t longest_bytes_ = 0;
};

}  // namespace switchyard::model::tokenization
