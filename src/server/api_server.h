// One machine's OpenAI interface: routes of HTTP to an engine. Serve is called from the HTTP
// server's workers, many at once; the rest from any thread.
//
//   POST /v1/chat/completions, /v1/completions, /v1/embeddings, /tokenize, /detokenize
//   GET  /v1/models, /v1/models/ID, /health, /ready, /version, /metrics
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/completion_service.h"
#include "net/http_server.h"
#include "protocol/completion_request.h"
#include "server/api_keys.h"
#include "server/metrics.h"
#include "server/request_log.h"
#include "server/text_model.h"

namespace switchyard::server {

struct ApiServerOptions {
  std::string model;                 // its name in answers
  std::vector<std::string> aliases;  // further names that are accepted
  std::optional<ApiKeys> keys;       // none: anyone may ask
  std::string version;
  // What a request means that does not say: OpenAI's defaults, or the publisher's.
  engine::SamplingParameters sampling;
  protocol::RequestLimits limits;
  std::vector<ServingChip> chips;
  LogSink log;  // null: nothing is logged
};

struct ServerState;

class ApiServer {
 public:
  // `service` and `text` must outlive every request: stop the HTTP server first.
  ApiServer(ApiServerOptions options, engine::CompletionService& service, const TextModel& text);
  ~ApiServer();

  void Serve(net::HttpRequest request, std::shared_ptr<net::HttpResponder> responder);

  // From now on new work is refused with 503 and /ready says so; what runs goes on.
  void BeginDrain();
  // Completions that were admitted and have not ended.
  std::int64_t in_flight() const;

 private:
  struct Call;
  std::shared_ptr<void> CountInFlight();
  void Route(Call& call);
  void Complete(Call& call, protocol::Endpoint endpoint);
  void Embed(Call& call);
  void Tokenize(Call& call);
  void Detokenize(Call& call);
  void Models(Call& call);

  std::shared_ptr<ServerState> state_;  // with the answers in progress
};

}  // namespace switchyard::server
