#include "gateway/gateway.h"

#include <algorithm>
#include <array>
#include <thread>

#include "access/error_response.h"
#include "base/json.h"
#include "base/random_bits.h"
#include "gateway/member_metrics.h"
#include "net/request_id.h"
#include "protocol/completion_response.h"

namespace switchyard::gateway {
namespace {

using protocol::ApiError;

struct Posted {
  std::string_view path;
  RequestKind kind;
};
constexpr std::array kPosted = {Posted{"/v1/chat/completions", RequestKind::kChat},
                                Posted{"/v1/completions", RequestKind::kCompletions},
                                Posted{"/v1/embeddings", RequestKind::kEmbeddings},
                                Posted{"/tokenize", RequestKind::kTokenize},
                                Posted{"/detokenize", RequestKind::kDetokenize}};
constexpr std::array<std::string_view, 4> kOpen = {"/health", "/ready", "/metrics", "/version"};

// Those that members tell of, with the least context that a member has for it.
std::vector<protocol::ListedModel> ListModels(const FleetView& view) {
  std::vector<protocol::ListedModel> models;
  for (const std::string& name : view.Models()) {
    protocol::ListedModel listed{.id = name};
    std::vector<std::string> members;
    for (const Member& member : view.members) {
      const ModelState* const model = member.Model(name);
      if (model == nullptr) continue;
      members.push_back(member.name());
      if (model->context_tokens == 0) continue;
      listed.max_model_len = listed.max_model_len == 0
                                 ? model->context_tokens
                                 : std::min(listed.max_model_len, model->context_tokens);
    }
    listed.switchyard = {{"members", members}};
    models.push_back(listed);
    const ModelConfig* const config = view.config->FindModel(name);
    if (config == nullptr) continue;
    for (const std::string& alias : config->aliases) {
      listed.id = alias;
      models.push_back(listed);
    }
  }
  return models;
}

// Tokens of the answer, at most; no limit of a key is as large as what is cut off here.
std::int64_t Announced(const protocol::RequestOutline& outline) {
  constexpr std::int64_t kMost = std::int64_t{1} << 50;
  const std::int64_t each = std::clamp<std::int64_t>(outline.max_tokens.value_or(0), 0, kMost);
  return each * outline.n;  // n is 1024 at most
}

bool IsAnyReachable(const FleetView& view) {
  return std::ranges::any_of(view.members, [](const Member& member) {
    return !member.state->is_lost && !member.state->is_draining && !member.is_draining &&
           !member.is_forbidden;
  });
}

}  // namespace

// One event loop, with what lives on it.
struct Gateway::Lane {
  Lane(const GatewayOptions& options, Fleet& fleet, GatewayMetrics& metrics)
      : loop(net::EventLoop::Create()),
        context{.loop = *loop,
                .fleet = fleet,
                .metrics = metrics,
                .log = options.log,
                .decisions = options.decisions,
                .felt = options.felt,
                .links = MemberLinks(*loop)},
        watch(loop->NewTimer()) {}
  ~Lane() {
    // What lives on the loop ends on it.
    loop->Run([this] {
      watch.reset();
      context.links.Clear();
    });
  }
  std::unique_ptr<net::EventLoop> loop;
  ExchangeContext context;
  std::unique_ptr<net::LoopTimer> watch;
  std::unique_ptr<net::HttpServer> server;
};

// One request before it is anybody's.
struct Gateway::Call {
  std::shared_ptr<ClientRequest> client;
  std::shared_ptr<net::HttpResponder> responder;  // with the connection
  std::shared_ptr<access::KeyHolder> key;         // with the ring; null: none is asked for
  GatewayMetrics& metrics;

  void Respond(net::HttpResponse response) const {
    metrics.CountEnd(response.status);
    response.headers.emplace_back("x-request-id", client->id);
    responder->Respond(std::move(response));
  }
  void Respond(const ApiError& error, const net::HttpHeaders& more = {}) const {
    net::HttpResponse response = access::ErrorResponse(error, client->id);
    std::erase_if(response.headers, [&](const auto& header) {
      return !net::FindHeader(more, header.first).empty();
    });
    response.headers.insert(response.headers.end(), more.begin(), more.end());
    metrics.CountEnd(response.status);
    responder->Respond(std::move(response));
  }
};

Gateway::Gateway(GatewayOptions options, Fleet& fleet)
    : options_(std::move(options)), fleet_(fleet), keys_(options_.keys) {}

base::Result<std::unique_ptr<Gateway>> Gateway::Start(GatewayOptions options, Fleet& fleet) {
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(options), fleet));
  SWITCHYARD_RETURN_IF_ERROR(gateway->Open());
  return gateway;
}

base::Status Gateway::Open() {
  const ListenConfig& listen = options_.listen;
  std::uint16_t port = listen.port;
  for (std::int64_t i = 0; i < std::max<std::int64_t>(1, listen.io_threads); ++i) {
    auto lane = std::make_unique<Lane>(options_, fleet_, metrics_);
    net::HttpServerOptions options;
    options.loop = lane->loop.get();
    options.shares_port = listen.io_threads > 1;
    options.host = listen.host;
    options.port = port;
    options.max_connections = static_cast<std::size_t>(listen.max_connections);
    options.body_limit_bytes = static_cast<std::size_t>(listen.max_body_mib) << 20U;
    options.tls = options_.tls;
    options.error_body = [](int status, std::string_view message) {
      return protocol::ErrorBody({.status = status, .message = std::string(message)});
    };
    SWITCHYARD_TRY(lane->server,
                   net::HttpServer::Start(std::move(options),
                                          [this, &lane = *lane](net::HttpRequest request,
                                                                auto responder) {
                                            Serve(lane, std::move(request), responder);
                                          }));
    port = lane->server->port();
    lane->loop->Run([this, &lane = *lane] { Watch(lane); });
    lanes_.push_back(std::move(lane));
  }
  return {};
}

// An operator's word, and that a member is lost, reach answers in progress within this time.
void Gateway::Watch(Lane& lane) {
  constexpr std::chrono::milliseconds kOften{100};
  const auto view = fleet_.snapshot();
  std::vector<std::shared_ptr<Exchange>> live;
  for (Exchange* const exchange : lane.context.live) {
    live.push_back(exchange->weak_from_this().lock());
  }
  for (const auto& exchange : live) {
    if (exchange != nullptr) exchange->OnFleet(*view);
  }
  lane.watch->Start(kOften, [this, &lane] { Watch(lane); });
}

Gateway::~Gateway() { Stop(std::chrono::milliseconds(0)); }

std::uint16_t Gateway::port() const { return lanes_.front()->server->port(); }

void Gateway::Stop(std::chrono::milliseconds drain) {
  is_stopping_ = true;
  const auto end = std::chrono::steady_clock::now() + drain;
  while (in_flight() > 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  for (const auto& lane : lanes_) lane->server->Stop();
  lanes_.clear();
}

void Gateway::Serve(Lane& lane, net::HttpRequest request,
                    const std::shared_ptr<net::HttpResponder>& responder) {
  const std::string path(request.Path());
  if (path.starts_with("/switchyard/") && options_.operate) {
    return options_.operate(std::move(request), responder);
  }
  Call call{std::make_shared<ClientRequest>(), responder, nullptr, metrics_};
  ClientRequest& client = *call.client;
  client.arrival = std::chrono::steady_clock::now();
  client.id = net::RequestIdOf(request);
  client.http = std::move(request);
  if (!keys_.is_open() && std::ranges::find(kOpen, path) == kOpen.end()) {
    const std::string_view key = client.http.Header("authorization");
    call.key = keys_.Find(key);
    if (call.key == nullptr) return call.Respond(protocol::InvalidApiKey(key.empty()));
    client.key_name = call.key->name();
  }
  const auto posted = std::ranges::find(kPosted, path, &Posted::path);
  if (posted == kPosted.end()) return Read(call);
  if (client.http.method != "POST") {
    return call.Respond(protocol::MethodNotAllowed(path, "POST"), {{"Allow", "POST"}});
  }
  client.kind = posted->kind;
  Relay(lane, call);
}

void Gateway::Read(const Call& call) {
  const net::HttpRequest& request = call.client->http;
  const std::string_view path = request.Path();
  const bool is_model = path.starts_with("/v1/models/");
  if (!is_model && path != "/v1/models" && std::ranges::find(kOpen, path) == kOpen.end()) {
    return call.Respond(protocol::UnknownUrl(request.method, path));
  }
  if (request.method != "GET" && request.method != "HEAD") {
    return call.Respond(protocol::MethodNotAllowed(path, "GET"), {{"Allow", "GET, HEAD"}});
  }
  if (path == "/health") return call.Respond({.content_type = ""});
  if (path == "/version") {
    return call.Respond({.body = base::WriteJson({{"version", options_.version}})});
  }
  if (path == "/metrics") {
    return call.Respond({.content_type = "text/plain; version=0.0.4; charset=utf-8",
                         .body = Metrics()});
  }
  const auto view = fleet_.snapshot();
  if (path == "/ready") {
    if (!is_stopping_ && IsAnyReachable(*view)) return call.Respond({.body = R"({"status":"ready"})"});
    return call.Respond(protocol::ToApiError(
        {base::ErrorCode::kUnavailable, is_stopping_ ? "the gateway stops"
                                                     : "no member of the fleet can be reached"}));
  }
  const auto models = ListModels(*view);
  if (!is_model) return call.Respond({.body = protocol::ModelList(models)});
  const std::string_view id = path.substr(sizeof "/v1/models/" - 1);
  const auto found = std::ranges::find(models, id, &protocol::ListedModel::id);
  if (found == models.end()) return call.Respond(protocol::ModelNotFound(id));
  call.Respond({.body = protocol::ModelEntry(*found)});
}

std::string Gateway::Metrics() const {
  return metrics_.Render() + RenderMembers(*fleet_.snapshot()) + keys_.Render() +
         (options_.more_metrics ? options_.more_metrics() : std::string());
}

void Gateway::Relay(Lane& lane, Call& call) {
  ClientRequest& client = *call.client;
  if (is_stopping_) {
    return call.Respond(protocol::ToApiError(
        {base::ErrorCode::kUnavailable, "the gateway stops and takes no new requests"}));
  }
  auto outline = protocol::ReadOutline(client.endpoint(), client.http.body);
  if (!outline) return call.Respond(outline.error());
  client.outline = std::move(*outline);
  // Every reader of JSON holds 53 bits exactly.
  client.seed = client.outline.seed.value_or(
      static_cast<std::int64_t>(base::RandomBits() >> 11U));
  access::KeyUse use;
  if (call.key != nullptr) {
    const auto decision = call.key->Ask(client.prompt_tokens() + Announced(client.outline));
    client.limits = access::RateHeaders(decision);
    if (decision.refusal != policy::RateRefusal::kNone) {
      net::HttpHeaders headers = client.limits;
      const auto retry = access::RetryHeaders(decision);
      headers.insert(headers.end(), retry.begin(), retry.end());
      return call.Respond(access::RateLimited(*call.key, decision), headers);
    }
    use = access::KeyUse(call.key, decision.reserved_tokens, client.prompt_tokens());
  }
  Exchange::Begin(lane.context, std::move(call.client), std::move(use), std::move(call.responder));
}

}  // namespace switchyard::gateway
