// What is to be done for a request: made of what was asked, checked against the model, before the
// engine sees anything. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "access/key_ring.h"
#include "engine/completion_service.h"
#include "net/http_server.h"
#include "protocol/choice_writer.h"
#include "protocol/completion_request.h"
#include "protocol/completion_response.h"
#include "protocol/embeddings.h"
#include "server/request_log.h"
#include "server/request_spans.h"
#include "server/server_state.h"

namespace switchyard::server {

// What a gateway may ask for beyond OpenAI's answer, docs/member_protocol.md.
struct MemberPlan {
  bool token_ids = false;
  bool has_extension = false;
  bool prompt_ids_once = false;  // of a stream, not with each choice
  bool is_resumed = false;
  std::int64_t seed = 0;
  // Each prompt's tokens, if the answer may have to tell them.
  std::vector<std::vector<engine::TokenId>> prompts;
  std::vector<bool> is_begun;     // by choice: it is resumed, what opens it was said before
  std::vector<bool> is_finished;  // by choice: nothing is said of it any more

  bool speaks() const { return token_ids || has_extension; }
};

struct AnswerPlan {
  protocol::AnswerHead head;
  bool stream = false;
  bool logprobs = false;
  protocol::ChoiceForm form;          // of chats
  std::size_t choices_by_prompt = 1;  // that are made
  std::size_t given_by_prompt = 1;    // of them, the best
  std::vector<std::string> echoes;    // by prompt, what stands before its answers; empty: nothing
  std::optional<protocol::EmbeddingForm> embedding;  // no choices but embeddings are wanted
  std::vector<engine::CompletionRequest> requests;   // choices of one prompt side by side
  std::int64_t prompt_tokens = 0;                    // each prompt counts once
  std::int64_t announced_tokens = 0;                 // of all answers, as far as the request tells
  access::KeyUse key;
  net::HttpHeaders headers;            // of the answer, besides those of every answer
  std::optional<TracedRequest> trace;  // if it is to be traced
  MemberPlan member;
  RequestLine line;
  std::chrono::steady_clock::time_point arrival;
};

// Whose turn it is, what it is counted on and who hears of it are still the caller's to say.
protocol::ApiResult<AnswerPlan> PlanCompletion(protocol::CompletionRequest request,
                                               ServerState& state);
protocol::ApiResult<AnswerPlan> PlanEmbeddings(const protocol::EmbeddingRequest& request,
                                               const ServerState& state);

}  // namespace switchyard::server
