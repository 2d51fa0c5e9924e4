// A model as a user means it: weights, tokenizer, chat template and the publisher's
// recommendations, loaded from one GGUF file or one Hugging Face folder. It knows no device; an
// engine builds forward passes from config() and weights().
//
// Immutable but for the weight table, which prepares weights on devices and is for one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "model/chat_template.h"
#include "model/checkpoint.h"
#include "model/model_config.h"
#include "model/model_weights.h"
#include "model/publisher_settings.h"
#include "model/tokenizer.h"

namespace switchyard::model {

class Model {
 public:
  static base::Result<std::unique_ptr<Model>> Load(const std::filesystem::path& path);

  const ModelConfig& config() const { return checkpoint_.config(); }
  ModelWeights& weights() { return weights_; }
  const ModelWeights& weights() const { return weights_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const PublisherSettings& settings() const { return settings_; }
  const GenerationDefaults& generation_defaults() const { return settings_.generation; }
  // Every token that ends an answer: the tokenizer's and the publisher's.
  const std::vector<TokenId>& end_tokens() const { return end_tokens_; }

  bool has_chat_template() const { return chat_template_.has_value(); }
  // The text that asks for the next answer to `messages`, with all special tokens in it. `tools`
  // may be null. kFailedPrecondition if the model has no template, or one that could not be read.
  base::Result<std::string> RenderChat(const base::Json& messages,
                                       const base::Json& tools = nullptr) const;
  // What the chat template makes of `context`, its globals but for the special tokens' names.
  base::Result<std::string> RenderTemplate(base::Json context) const;
  // A prompt as tokens: names of special tokens become them, and none is added.
  base::Result<std::vector<TokenId>> EncodePrompt(std::string_view prompt) const;
  // RenderChat's text as tokens.
  base::Result<std::vector<TokenId>> EncodeChat(const base::Json& messages,
                                                const base::Json& tools = nullptr) const;

 private:
  Model(Checkpoint checkpoint, ModelWeights weights)
      : checkpoint_(std::move(checkpoint)), weights_(std::move(weights)) {}

  base::Status LoadText();

  Checkpoint checkpoint_;
  ModelWeights weights_;  // may point into checkpoint_
  std::unique_ptr<Tokenizer> tokenizer_;
  PublisherSettings settings_;
  std::optional<ChatTemplate> chat_template_;
  std::vector<TokenId> end_tokens_;
};

}  // namespace switchyard::model
