#include "cli/model_text.h"

#include "engine/token_vocabulary.h"

namespace switchyard::cli {

ModelText::ModelText(const model::Model& model) : model_(model) {
  if (!model.has_chat_template()) return;
  traits_ = protocol::ProbeTemplate(model.settings().chat_template, [this](base::Json context) {
    return Render(std::move(context));
  });
}

base::Result<std::string> ModelText::Render(base::Json context) const {
  return model_.RenderTemplate(std::move(context));
}

base::Result<server::EncodedChat> ModelText::EncodeChat(const protocol::ChatInput& input) const {
  SWITCHYARD_TRY(const protocol::RenderedChat chat,
                 protocol::RenderChat(input, traits_, [this](base::Json context) {
                   return Render(std::move(context));
                 }));
  SWITCHYARD_TRY(std::vector<engine::TokenId> tokens, model_.EncodePrompt(chat.text));
  return server::EncodedChat{std::move(tokens), chat.begins_in_reasoning};
}

base::Result<std::vector<engine::TokenId>> ModelText::Encode(std::string_view text,
                                                             bool add_special) const {
  // Special tokens in a prompt count as such, as in vLLM.
  return model_.tokenizer().Encode(text, {.add_special = add_special, .parse_special = true});
}

std::string ModelText::Decode(std::span<const engine::TokenId> tokens) const {
  return model_.tokenizer().Decode(tokens, false);
}

std::string ModelText::TokenBytes(engine::TokenId token) const {
  return model_.tokenizer().TokenBytes(token, false);
}

std::int32_t ModelText::vocabulary_size() const { return model_.tokenizer().vocabulary_size(); }

std::shared_ptr<const grammar::Vocabulary> ModelText::vocabulary() const {
  std::call_once(vocabulary_made_,
                 [this] { vocabulary_ = engine::MakeVocabulary(model_.tokenizer()); });
  return vocabulary_;
}

}  // namespace switchyard::cli
