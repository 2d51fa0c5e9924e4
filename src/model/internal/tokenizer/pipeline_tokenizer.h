// The tokenizer of every family: added tokens, normalizer, pre-tokenizer, model and decoder, each
// chosen by a loader. The order of the steps is that of Hugging Face's `tokenizers`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/internal/tokenizer/added_tokens.h"
#include "model/internal/tokenizer/decoder.h"
#include "model/internal/tokenizer/normalizer.h"
#include "model/internal/tokenizer/pre_tokenizer.h"
#include "model/internal/tokenizer/token_model.h"
#include "model/internal/tokenizer/vocabulary.h"
#include "model/tokenizer.h"

namespace switchyard::model::tokenization {

struct TokenizerParts {
  std::unique_ptr<Vocabulary> vocabulary =
      std::make_unique<Vocabulary>();           // the model refers to it
  AddedTokens raw_added;                        // found in the text as it comes
  AddedTokens normalized_added;                 // found in the normalized text
  std::unique_ptr<Normalizer> normalizer;       // may be null
  std::unique_ptr<PreTokenizer> pre_tokenizer;  // may be null
  std::unique_ptr<TokenModel> model;
  std::unique_ptr<Decoder> decoder;
  std::vector<bool> is_special;   // by id; may be shorter than the vocabulary
  std::vector<bool> is_verbatim;  // by id: the name is the text, whatever the decoder says
  // What is decoded instead of a token's name: that of a normalized added token, normalized.
  std::unordered_map<TokenId, std::string> spellings;
  std::vector<TokenId> prefix;  // put around a text
  std::vector<TokenId> suffix;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::vector<TokenId> end_tokens;
};

inline void Mark(TokenId id, std::vector<bool>* marks) {
  const auto index = static_cast<std::size_t>(id);
  if (index >= marks->size()) marks->resize(index + 1);
  (*marks)[index] = true;
}

class PipelineTokenizer : public Tokenizer {
 public:
  explicit PipelineTokenizer(TokenizerParts parts) : parts_(std::move(parts)) {}

  base::Result<std::vector<TokenId>> Encode(std::string_view text,
                                            EncodeOptions options) const override;
  std::string TokenBytes(TokenId id, bool skip_special, bool at_start) const override;
  std::string Decode(std::span<const TokenId> ids, bool skip_special) const override;

  std::int32_t vocabulary_size() const override { return parts_.vocabulary->size(); }
  std::optional<TokenId> bos() const override { return parts_.bos; }
  std::optional<TokenId> eos() const override { return parts_.eos; }
  bool adds_bos() const override;
  std::span<const TokenId> end_tokens() const override { return parts_.end_tokens; }
  bool IsSpecial(TokenId id) const override { return IsMarked(id, parts_.is_special); }
  std::optional<TokenId> Find(std::string_view token) const override {
    return parts_.vocabulary->Find(token);
  }

 private:
  static bool IsMarked(TokenId id, const std::vector<bool>& marks) {
    return id >= 0 && static_cast<std::size_t>(id) < marks.size() &&
           marks[static_cast<std::size_t>(id)];
  }
  base::Status EncodeText(std::string_view text, bool at_start, bool with_special,
                          RegexScratch* scratch, std::vector<TokenId>* ids) const;
  base::Status EncodeNormalized(std::string text, bool at_start, RegexScratch* scratch,
                                std::vector<TokenId>* ids) const;

  TokenizerParts parts_;
};

}  // namespace switchyard::model::tokenization
