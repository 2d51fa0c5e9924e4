// A model's tokenizer and chat template as the server asks for them. Immutable; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"
#include "server/text_model.h"

namespace switchyard::cli {

class ModelText final : public server::TextModel {
 public:
  // `model` must outlive it.
  explicit ModelText(const model::Model& model);

  base::Result<server::EncodedChat> EncodeChat(const protocol::ChatInput& input) const override;
  const protocol::TemplateTraits& traits() const override { return traits_; }
  base::Result<std::vector<engine::TokenId>> Encode(std::string_view text,
                                                    bool add_special) const override;
  std::string Decode(std::span<const engine::TokenId> tokens) const override;
  std::string TokenBytes(engine::TokenId token) const override;
  std::int32_t vocabulary_size() const override;
  std::span<const engine::TokenId> end_tokens() const override { return model_.end_tokens(); }
  std::shared_ptr<const grammar::Vocabulary> vocabulary() const override;
  std::optional<engine::TokenId> FindToken(std::string_view name) const override {
    return model_.tokenizer().Find(name);
  }

 private:
  base::Result<std::string> Render(base::Json context) const;

  const model::Model& model_;
  protocol::TemplateTraits traits_;
  mutable std::once_flag vocabulary_made_;  // by the first request that needs it
  mutable std::shared_ptr<const grammar::Vocabulary> vocabulary_;  // with the grammars
};

}  // namespace switchyard::cli
