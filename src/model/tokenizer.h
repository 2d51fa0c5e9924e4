// Text to token ids and back, for every family that we read, from GGUF metadata or a
// tokenizer.json. Immutable after creation, so any thread may use one; a TokenStream belongs to one
// sequence.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "model/gguf.h"

namespace switchyard::model {

using TokenId = std::int32_t;

class Tokenizer {
 public:
  static base::Result<std::unique_ptr<Tokenizer>> FromGguf(const GgufFile& file);
  // `tokenizer_json` as Hugging Face writes it; `tokenizer_config` may be null.
  static base::Result<std::unique_ptr<Tokenizer>> FromHuggingFace(
      const base::Json& tokenizer_json, const base::Json& tokenizer_config);
  virtual ~Tokenizer() = default;

  struct EncodeOptions {
    bool add_special = true;     // the BOS/EOS that the model expects around a text
    bool parse_special = false;  // "<|im_start|>" in the text becomes its token
  };
  // Any bytes are accepted: broken UTF-8 is treated as the family's original tokenizer treats it.
  virtual std::vector<TokenId> Encode(std::string_view text, EncodeOptions options) const = 0;

  // The exact bytes of one token (may be half a character); special tokens give their name, or
  // nothing if `skip_special`. Ids outside the vocabulary give nothing.
  virtual std::string TokenBytes(TokenId id, bool skip_special) const = 0;
  virtual std::string Decode(std::span<const TokenId> ids, bool skip_special) const = 0;

  virtual std::int32_t vocabulary_size() const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  virtual bool adds_bos() const = 0;
  // Every token that ends an answer (EOS, end of turn, ...).
  virtual std::span<const TokenId> end_tokens() const = 0;
  virtual bool IsSpecial(TokenId id) const = 0;
  virtual std::optional<TokenId> Find(std::string_view token) const = 0;  // by its name in the file
};

// Turns tokens into text as they come, never emitting half a character.
class TokenStream {
 public:
  explicit TokenStream(const Tokenizer& tokenizer, bool skip_special = true);
  // The text that is certain after this token; empty while a character is incomplete.
  std::string Push(TokenId id);
  // What is left at the end; an incomplete character becomes U+FFFD.
  std::string Finish();

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_;
  bool at_start_ = true;
  std::string pending_;
};

}  // namespace switchyard::model
