// What a request says in words, as tokens of the model. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/completion_request.h"
#include "server/text_model.h"

namespace switchyard::server {

using Tokens = std::vector<engine::TokenId>;

// Texts, or token ids that the vocabulary must have; `param` is the request's name for them.
protocol::ApiResult<std::vector<Tokens>> EncodeTexts(const std::vector<protocol::Prompt>& texts,
                                                     std::string_view param, const TextModel& text);

struct EncodedPrompts {
  std::vector<Tokens> prompts;
  bool begins_in_reasoning = false;  // of chats
};

protocol::ApiResult<EncodedPrompts> EncodePrompts(const protocol::CompletionRequest& request,
                                                  const TextModel& text);

// Each word as it stands at the beginning and behind a space, which most vocabularies tell apart.
protocol::ApiResult<std::vector<Tokens>> EncodeWords(const std::vector<std::string>& words,
                                                     const TextModel& text);

// Leaves the last `kept` tokens of each, -1 meaning as many as `room`.
void Truncate(std::vector<Tokens>& prompts, std::optional<std::int64_t> kept, std::int64_t room);

protocol::ApiError OutsideVocabulary(std::string param, engine::TokenId token, std::int32_t size);
protocol::ApiError EncodingFailed(const base::Error& cause, std::string_view param);

// Nothing: there is nothing against them.
std::optional<protocol::ApiError> CheckTokens(std::string_view param,
                                              std::span<const engine::TokenId> tokens,
                                              std::int32_t vocabulary_size);
// `completion`: tokens that must fit behind each.
std::optional<protocol::ApiError> CheckLengths(const std::vector<Tokens>& prompts,
                                               std::int64_t completion, std::int64_t context_tokens,
                                               const std::string& param);

}  // namespace switchyard::server
