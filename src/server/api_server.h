// One machine's OpenAI interface: routes of HTTP to an engine. Serve is called from the HTTP
// server's workers, many at once; the rest from any thread.
//
//   POST /v1/chat/completions, /v1/completions, /v1/embeddings, /tokenize, /detokenize
//   GET  /v1/models, /v1/models/ID, /health, /ready, /version, /metrics
//   what is below /switchyard/v1/, for gateways: member_endpoints.h
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/api_keys.h"
#include "base/log.h"
#include "engine/completion_service.h"
#include "engine/kv_transfer.h"
#include "net/http_server.h"
#include "protocol/completion_request.h"
#include "server/metrics.h"
#include "server/otlp.h"
#include "server/request_log.h"
#include "server/text_model.h"

namespace switchyard::server {

// How long a request may take, and how long a stream is silent. 0: no limit, and never.
struct RequestTimes {
  std::chrono::milliseconds request{0};    // from its arrival to its end; then 504
  std::chrono::milliseconds queue{0};      // until it begins; then 503
  std::chrono::milliseconds heartbeat{0};  // a stream that is silent gets a comment
};

// What is served, whatever it is called, so that a gateway knows who serves the same.
struct ModelIdentity {
  std::string sha256;  // of its files, as certificates have it; empty: nobody asked for it
  std::string architecture;
  std::string weight_types;  // "q4_1, q8_0, f32"
  std::string kv_type;
};

// Whether a text depends on nothing but its request and its tokens.
struct Determinism {
  bool is_deterministic = false;
  std::string why;  // a sentence for people
};

struct ApiServerOptions {
  std::string model;                 // its name in answers
  std::vector<std::string> aliases;  // further names that are accepted
  ModelIdentity identity;
  std::optional<access::ApiKeys> keys;       // none: anyone may ask
  std::optional<access::ApiKeys> member_keys;  // none: there are no member's endpoints
  std::string version;
  // For the member's endpoints that move KV pages; outlives every request. At most so many bytes
  // are given at once, which members alike take as a body.
  engine::KvTransfer* kv = nullptr;
  std::uint64_t kv_most_bytes = 0;
  // What a request means that does not say: OpenAI's defaults, or the publisher's.
  engine::SamplingParameters sampling;
  protocol::RequestLimits limits;
  RequestTimes times;
  std::vector<ServingChip> chips;
  Determinism determinism;
  base::LogSink log;  // null: nothing is logged
  // Given the spans of each sampled request; null: nothing is traced. Called from several threads;
  // must not block.
  std::function<void(std::vector<Span>)> trace;
  // Further lines for GET /metrics, of what only the program knows; null: none.
  std::function<std::string()> more_metrics;
};

struct AnswerPlan;
struct ServerState;

class ApiServer {
 public:
  // `service` and `text` must outlive every request: stop the HTTP server first.
  ApiServer(ApiServerOptions options, engine::CompletionService& service, const TextModel& text);
  ~ApiServer();

  void Serve(net::HttpRequest request, std::shared_ptr<net::HttpResponder> responder);

  // From now on, for good, new work is refused with 503 and /ready says so. What runs goes on until
  // `give_back`; what is left then is given back, so that it can go on elsewhere.
  void Stop(std::chrono::steady_clock::time_point give_back);
  // From now on these are the keys; there must have been some from the start.
  void ReplaceKeys(access::ApiKeys keys);
  void ReplaceMemberKeys(access::ApiKeys keys);
  // Completions that were admitted and have not ended.
  std::int64_t in_flight() const;

 private:
  struct Call;
  struct Route;
  std::shared_ptr<void> CountInFlight();
  void Member(Call& call);
  void Complete(Call& call, protocol::Endpoint endpoint);
  void Embed(Call& call);
  void Tokenize(Call& call);
  void Detokenize(Call& call);
  void Models(Call& call);
  void Ready(Call& call);
  void Version(Call& call);
  void ShowMetrics(Call& call);
  void Begin(Call& call, std::int32_t priority, AnswerPlan plan);

  std::shared_ptr<ServerState> state_;  // with the answers in progress
};

}  // namespace switchyard::server
