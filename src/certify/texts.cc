#include "certify/texts.h"

namespace switchyard::certify {
namespace {

base::Result<std::vector<model::TokenId>> PromptTokens(const model::Model& model,
                                                       const std::string& text, bool is_chat) {
  if (!is_chat || !model.has_chat_template()) {
    return model.tokenizer().Encode(text, {.add_special = true, .parse_special = false});
  }
  const base::Json messages = base::Json::array({{{"role", "user"}, {"content", text}}});
  return model.EncodeChat(messages);
}

}  // namespace

base::Result<Texts> TokeniseTexts(const model::Model& model) {
  Texts texts;
  for (const std::string_view passage : PassageTexts()) {
    SWITCHYARD_TRY(auto tokens, model.tokenizer().Encode(passage, {}));
    texts.passages.push_back(std::move(tokens));
  }
  SWITCHYARD_TRY(const base::Json prompts, base::ParseJson(PromptsJson(), "prompts.json"));
  for (const base::Json& prompt : prompts) {
    const bool is_chat = prompt.contains("chat");
    SWITCHYARD_TRY(
        auto tokens,
        PromptTokens(model, prompt[is_chat ? "chat" : "raw"].get<std::string>(), is_chat));
    texts.prompts.push_back({prompt["name"].get<std::string>(), std::move(tokens)});
  }
  return texts;
}

}  // namespace switchyard::certify
