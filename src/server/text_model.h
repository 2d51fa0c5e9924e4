// What the server needs to know of a model's text: its tokenizer and chat template, without the
// model. Whoever starts the server implements it. Called from many threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/completion_service.h"
#include "grammar/vocabulary.h"
#include "protocol/template_traits.h"

namespace switchyard::server {

struct EncodedChat {
  std::vector<engine::TokenId> tokens;
  bool begins_in_reasoning = false;  // the answer does: the prompt opened it
};

class TextModel {
 public:
  virtual ~TextModel() = default;

  // The prompt that asks for the next answer to a conversation.
  virtual base::Result<EncodedChat> EncodeChat(const protocol::ChatInput& input) const = 0;
  // What the chat template can do, and how the model calls tools and reasons.
  virtual const protocol::TemplateTraits& traits() const = 0;
  // Fails on a text that the tokenizer's patterns can't cut up within their bounds.
  virtual base::Result<std::vector<engine::TokenId>> Encode(std::string_view text,
                                                            bool add_special) const = 0;
  virtual std::string Decode(std::span<const engine::TokenId> tokens) const = 0;
  // The bytes of one token, special ones by their name.
  virtual std::string TokenBytes(engine::TokenId token) const = 0;
  virtual std::int32_t vocabulary_size() const = 0;
  virtual std::span<const engine::TokenId> end_tokens() const = 0;
  // For grammars, which share it. The first call may take a moment.
  virtual std::shared_ptr<const grammar::Vocabulary> vocabulary() const = 0;
  // A token by its name.
  virtual std::optional<engine::TokenId> FindToken(std::string_view name) const = 0;
};

}  // namespace switchyard::server
