// A request as it came to the gateway, with what was read of it. Shared by all that is done for it,
// so that its body lies in one place until the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "access/key_ring.h"
#include "net/http_server.h"
#include "protocol/request_outline.h"

namespace switchyard::gateway {

enum class RequestKind : std::uint8_t { kChat, kCompletions, kEmbeddings, kTokenize, kDetokenize };

struct ClientRequest {
  net::HttpRequest http;
  RequestKind kind = RequestKind::kChat;
  protocol::RequestOutline outline;  // with views into http.body
  std::string id;
  std::string key_name;     // empty: no key was asked for
  net::HttpHeaders limits;  // what its key has left, for the answer
  std::int64_t seed = 0;    // the request's, or drawn for it
  std::chrono::steady_clock::time_point arrival;

  bool is_completion() const {
    return kind == RequestKind::kChat || kind == RequestKind::kCompletions;
  }
  protocol::Endpoint endpoint() const {
    return kind == RequestKind::kChat ? protocol::Endpoint::kChat : protocol::Endpoint::kText;
  }
  // About; nobody here knows the tokenizer.
  std::int64_t prompt_tokens() const { return static_cast<std::int64_t>(http.body.size() / 4); }
};

}  // namespace switchyard::gateway
