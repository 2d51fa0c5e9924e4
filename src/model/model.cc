#include "model/model.h"

#include <algorithm>
#include <utility>

#include "model/internal/text_file.h"

namespace switchyard::model {

using base::ErrorCode;
using base::Result;
using base::Rethrow;

Result<std::unique_ptr<Model>> Model::Load(const std::filesystem::path& path) {
  SWITCHYARD_TRY(Checkpoint checkpoint, Checkpoint::Open(path));
  auto weights = ModelWeights::Load(checkpoint.config(), checkpoint);
  if (!weights) return internal::About(path, std::move(weights.error()));
  std::unique_ptr<Model> model(new Model(std::move(checkpoint), std::move(*weights)));
  if (base::Status status = model->LoadText(); !status) {
    return internal::About(path, std::move(status.error()));
  }
  return model;
}

base::Status Model::LoadText() {
  if (const GgufFile* file = checkpoint_.gguf(); file != nullptr) {
    SWITCHYARD_TRY(tokenizer_, Tokenizer::FromGguf(*file));
  } else {
    const std::filesystem::path& folder = checkpoint_.folder();
    SWITCHYARD_TRY(const base::MappedFile tokenizer,
                   internal::MapTextFile(folder / "tokenizer.json"));
    SWITCHYARD_TRY(const base::MappedFile config,
                   internal::MapTextFileIfPresent(folder / "tokenizer_config.json"));
    SWITCHYARD_TRY(tokenizer_, Tokenizer::FromHuggingFace(internal::TextOf(tokenizer),
                                                          internal::TextOf(config)));
  }
  SWITCHYARD_TRY(settings_, ReadPublisherSettings(checkpoint_));

  const auto known = tokenizer_->end_tokens();
  end_tokens_.assign(known.begin(), known.end());
  for (const TokenId id : settings_.generation.end_tokens) {
    if (id < config().vocabulary && std::ranges::find(end_tokens_, id) == end_tokens_.end()) {
      end_tokens_.push_back(id);
    }
  }
  if (settings_.chat_template.empty()) return {};
  auto chat_template = ChatTemplate::Parse(settings_.chat_template);
  if (!chat_template) {
    return Rethrow(std::move(chat_template.error()), "the chat template cannot be read");
  }
  chat_template_ = std::move(*chat_template);
  return {};
}

Result<std::string> Model::RenderTemplate(base::Json context) const {
  if (!chat_template_) {
    return base::Fail(ErrorCode::kFailedPrecondition,
                      "the model has no chat template; give it a plain text to continue");
  }
  context["bos_token"] = settings_.bos_token;
  context["eos_token"] = settings_.eos_token;
  return chat_template_->Render(context);
}

Result<std::string> Model::RenderChat(const base::Json& messages, const base::Json& tools) const {
  base::Json context;
  context["messages"] = messages;
  context["tools"] = tools;
  context["documents"] = nullptr;
  context["add_generation_prompt"] = true;
  return RenderTemplate(std::move(context));
}

Result<std::vector<TokenId>> Model::EncodePrompt(std::string_view prompt) const {
  return tokenizer().Encode(prompt, {.add_special = false, .parse_special = true});
}

Result<std::vector<TokenId>> Model::EncodeChat(const base::Json& messages,
                                               const base::Json& tools) const {
  SWITCHYARD_TRY(const std::string prompt, RenderChat(messages, tools));
  return EncodePrompt(prompt);
}

}  // namespace switchyard::model
