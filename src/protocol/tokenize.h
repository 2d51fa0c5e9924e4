// POST /tokenize and /detokenize in vLLM's shapes. Values; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "protocol/api_error.h"
#include "protocol/chat_input.h"

namespace switchyard::protocol {

struct TokenizeRequest {
  std::string model;        // may be empty
  std::string prompt;       // unless there are messages
  ChatInput chat;           // its messages are null unless given
  bool add_special = true;  // of a prompt; the chat template writes its own
};

ApiResult<TokenizeRequest> ParseTokenizeRequest(std::string_view body);
std::string TokenizeAnswer(std::span<const std::int32_t> tokens, std::int64_t max_model_len);

struct DetokenizeRequest {
  std::string model;  // may be empty
  std::vector<std::int32_t> tokens;
};

ApiResult<DetokenizeRequest> ParseDetokenizeRequest(std::string_view body);
std::string DetokenizeAnswer(std::string_view prompt);

}  // namespace switchyard::protocol
