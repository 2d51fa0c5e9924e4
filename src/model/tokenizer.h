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
#include "model/gguf.h"

namespace switchyard::model {

using TokenId = std::int32_t;

class Tokenizer {
 public:
  static base::Result<std::unique_ptr<Tokenizer>> FromGguf(const GgufFile& file);
  // The texts of tokenizer.json and tokenizer_config.json, as Hugging Face writes them; the latter,
  // which adds BOS and EOS, may be empty.
  static base::Result<std::unique_ptr<Tokenizer>> FromHuggingFace(
      std::string_view tokenizer_json, std::string_view tokenizer_config);
  virtual ~Tokenizer() = default;

  struct EncodeOptions {
    bool add_special = true;     // the BOS/EOS that the model expects around a text
    bool parse_special = false;  // "<|im_start|>" in the text becomes its token
  };
  // Any bytes are accepted. Every maximal broken part of UTF-8 counts as one U+FFFD, as in Python's
  // bytes.decode(errors="replace"), before which Hugging Face's tokenizers can't be reached. Fails
  // if one of the tokenizer's patterns needs more steps or memory for the text than is granted.
  virtual base::Result<std::vector<TokenId>> Encode(std::string_view text,
                                                    EncodeOptions options) const = 0;

  // The bytes of one token (may be half a character); special tokens give their name, or nothing if
  // `skip_special`. Ids outside the vocabulary give nothing. Many vocabularies put a space before
  // the first word, which is dropped if `at_start`, where no other token precedes this one.
  virtual std::string TokenBytes(TokenId id, bool skip_special, bool at_start = false) const = 0;
  // The bytes of all, with each maximal broken part of UTF-8 replaced by U+FFFD.
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

// Turns tokens into text as they come, never emitting half a character. All that it emits together
// is what Decode gives for all tokens.
class TokenStream {
 public:
  // `tokenizer` must outlive the stream. `at_start`: no text precedes the first token.
  explicit TokenStream(const Tokenizer& tokenizer, bool skip_special = true, bool at_start = true);
  // The text that is certain after this token; empty while a character is incomplete. `is_shown`:
  // by its name even if it is special.
  std::string Push(TokenId id, bool is_shown = false);
  // What is left at the end; an incomplete character becomes U+FFFD.
  std::string Finish();

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_;
  bool at_start_;
  std::string pending_;  // an unfinished character
};

}  // namespace switchyard::model
