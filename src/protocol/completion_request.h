// Requests to POST /v1/chat/completions and /v1/completions, read from JSON and checked as OpenAI
// checks them, with the fields that vLLM adds. Unknown fields are tolerated; known ones that are
// not supported are refused by name. Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "protocol/api_error.h"
#include "protocol/chat_input.h"
#include "protocol/member_fields.h"
#include "protocol/output_fields.h"
#include "protocol/prompts.h"
#include "protocol/refused_fields.h"
#include "protocol/structured_output.h"

namespace switchyard::protocol {

struct RequestLimits {
  std::size_t choices = 128;  // prompts times n
  std::size_t messages = 4096;
  std::size_t prompt_tokens = 1 << 20;  // of token-id prompts, each
  std::size_t inputs = 2048;            // of a request for embeddings, OpenAI's own limit
};

// What an absent field means is the server's to say.
struct SamplingFields {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::int32_t> top_k;  // 0: off
  std::optional<double> min_p;
  std::optional<double> typical_p;
  std::optional<double> presence_penalty;
  std::optional<double> frequency_penalty;
  std::optional<double> repetition_penalty;
  std::optional<std::int64_t> seed;
  std::vector<std::pair<std::int32_t, float>> logit_bias;
};

struct CompletionRequest {
  Endpoint endpoint = Endpoint::kChat;
  std::string model;
  ChatInput chat;               // of kChat
  std::vector<Prompt> prompts;  // of kText
  SamplingFields sampling;
  std::int32_t n = 1;  // answers to each prompt
  std::vector<std::string> stop;
  std::vector<std::int32_t> stop_token_ids;
  std::optional<std::int64_t> max_tokens;
  // -1: none; 0: of the token alone; else of that many of the best as well.
  std::int32_t top_logprobs = -1;
  bool stream = false;
  bool include_usage = false;
  bool ignore_eos = false;
  OutputFields output;
  bool tells_reasoning = true;
  std::int32_t priority = 0;  // vLLM's: lower first
  std::string user;
  StructuredOutput structured_output;
  MemberFields member;
};

ApiResult<CompletionRequest> ParseCompletionRequest(Endpoint endpoint, std::string_view body,
                                                    const RequestLimits& limits = {});

}  // namespace switchyard::protocol
