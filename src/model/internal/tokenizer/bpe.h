// Byte-pair encoding with ranked merges (Sennrich et al., 2016), as Hugging Face's `tokenizers`
// performs it: the adjacent pair of lowest rank is merged first, the leftmost of equals.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/internal/tokenizer/byte_fallback.h"
#include "model/internal/tokenizer/flat_map.h"
#include "model/internal/tokenizer/token_model.h"

namespace switchyard::model::tokenization {

struct BpeOptions {
  std::optional<TokenId> unknown = {};  // without one, unknown characters vanish
  bool fuse_unknown = false;            // neighbouring unknown characters become one token
  bool byte_fallback = false;           // unknown characters become <0x..> tokens, if those exist
  bool ignore_merges = false;           // a piece that is a token isn't built from merges
  std::string continuing_subword_prefix = {};  // before every character but a piece's first
  std::string end_of_word_suffix = {};         // after a piece's last character
};

class Bpe : public TokenModel {
 public:
  using Merge = std::pair<std::string_view, std::string_view>;

  // `vocabulary` must outlive the model. Refuses merges whose parts or result are no tokens.
  static base::Result<std::unique_ptr<Bpe>> Create(const Vocabulary& vocabulary,
                                                   const std::vector<Merge>& merges,
                                                   BpeOptions options);

  void Tokenize(std::string_view piece, std::vector<TokenId>* ids) const override;

 private:
  struct Merged {
    std::uint32_t rank;
    TokenId token;
  };

  Bpe(const Vocabulary& vocabulary, BpeOptions options);
  std::optional<TokenId> FindCharacter(std::string_view character) const;
  void AppendCharacters(std::string_view piece, std::vector<TokenId>* ids) const;
  const Merged* FindMerge(TokenId left, TokenId right) const;
  void MergeFew(std::vector<TokenId>* ids, std::size_t first) const;
  void MergeMany(std::vector<TokenId>* ids, std::size_t first) const;

  const Vocabulary& vocabulary_;
  BpeOptions options_;
  ByteFallback bytes_;
  FlatMap<Merged> merges_;                     // by the ids of left and right
  std::array<TokenId, 0x200> low_characters_;  // the tokens of U+0000 to U+01FF; -1: none
};

}  // namespace switchyard::model::tokenization
