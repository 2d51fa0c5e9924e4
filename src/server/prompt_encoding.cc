#include "server/prompt_encoding.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace switchyard::server {

using protocol::ApiError;
using protocol::ApiResult;

ApiError OutsideVocabulary(std::string param, engine::TokenId token, std::int32_t size) {
  return protocol::InvalidField(
      param, "invalid_value",
      fmt::format("Invalid '{}': token {} is not in the vocabulary, which has {} tokens.", param,
                  token, size));
}

std::optional<ApiError> CheckTokens(std::string_view param, std::span<const engine::TokenId> tokens,
                                    std::int32_t vocabulary_size) {
  for (const engine::TokenId token : tokens) {
    if (token < 0 || token >= vocabulary_size)
      return OutsideVocabulary(std::string(param), token, vocabulary_size);
  }
  return std::nullopt;
}

ApiError EncodingFailed(const base::Error& cause, std::string_view param) {
  ApiError error = protocol::ToApiError(cause);
  error.param = param;
  return error;
}

ApiResult<std::vector<Tokens>> EncodeTexts(const std::vector<protocol::Prompt>& texts,
                                           std::string_view param, const TextModel& text) {
  std::vector<Tokens> encoded;
  for (const protocol::Prompt& one : texts) {
    if (const auto* words = std::get_if<std::string>(&one)) {
      auto tokens = text.Encode(*words, true);
      if (!tokens) return std::unexpected(EncodingFailed(tokens.error(), param));
      encoded.push_back(std::move(*tokens));
      continue;
    }
    const auto& tokens = std::get<std::vector<std::int32_t>>(one);
    if (auto error = CheckTokens(param, tokens, text.vocabulary_size())) {
      return std::unexpected(std::move(*error));
    }
    encoded.push_back(tokens);
  }
  return encoded;
}

ApiResult<EncodedPrompts> EncodePrompts(const protocol::CompletionRequest& request,
                                        const TextModel& text) {
  if (request.endpoint == protocol::Endpoint::kChat) {
    auto chat = text.EncodeChat(request.chat);
    if (!chat) return std::unexpected(EncodingFailed(chat.error(), "messages"));
    return EncodedPrompts{{std::move(chat->tokens)}, chat->begins_in_reasoning};
  }
  auto prompts = EncodeTexts(request.prompts, "prompt", text);
  if (!prompts) return std::unexpected(std::move(prompts.error()));
  return EncodedPrompts{std::move(*prompts)};
}

ApiResult<std::vector<Tokens>> EncodeWords(const std::vector<std::string>& words,
                                           const TextModel& text) {
  std::vector<Tokens> encoded;
  for (const std::string& word : words) {
    for (const std::string& form : {word, " " + word}) {
      auto tokens = text.Encode(form, false);
      if (!tokens) return std::unexpected(EncodingFailed(tokens.error(), "bad_words"));
      encoded.push_back(std::move(*tokens));
    }
  }
  return encoded;
}

void Truncate(std::vector<Tokens>& prompts, std::optional<std::int64_t> kept, std::int64_t room) {
  if (!kept) return;
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(1, *kept < 0 ? room : *kept));
  for (Tokens& prompt : prompts) {
    if (prompt.size() > most)
      prompt.erase(prompt.begin(), prompt.end() - static_cast<std::ptrdiff_t>(most));
  }
}

std::optional<ApiError> CheckLengths(const std::vector<Tokens>& prompts, std::int64_t completion,
                                     std::int64_t context_tokens, const std::string& param) {
  for (const Tokens& prompt : prompts) {
    const auto tokens = static_cast<std::int64_t>(prompt.size());
    if (tokens == 0) {
      return protocol::InvalidField(param, "invalid_value",
                                    fmt::format("The {} has no tokens.", param));
    }
    if (tokens >= context_tokens || tokens + completion > context_tokens) {
      return protocol::ContextLengthExceeded(context_tokens, tokens, completion, param);
    }
  }
  return std::nullopt;
}

}  // namespace switchyard::server
