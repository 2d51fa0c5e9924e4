#include "server/api_server.h"

#include <algorithm>

#include "access/error_response.h"
#include "base/seconds_since.h"
#include "net/request_id.h"
#include "protocol/tokenize.h"
#include "server/answer.h"
#include "server/member_endpoints.h"
#include "server/prompt_encoding.h"

namespace switchyard::server {
namespace {

using protocol::ApiError;
using protocol::Endpoint;
using Clock = std::chrono::steady_clock;

ApiError Draining() {
  return protocol::ToApiError(
      {base::ErrorCode::kUnavailable, "the server stops or is drained and takes no new requests"});
}

// As OpenTelemetry calls it.
std::string OperationOf(const AnswerPlan& plan) {
  if (plan.embedding) return "embeddings";
  return plan.head.endpoint == Endpoint::kChat ? "chat" : "text_completion";
}

}  // namespace

struct ApiServer::Call {
  net::HttpRequest request;
  std::shared_ptr<net::HttpResponder> responder;  // with the connection, then with an Answer
  ServerState& state;
  Clock::time_point arrival = Clock::now();
  RequestLine line = {};
  std::shared_ptr<access::KeyHolder> key = {};  // with the ring; null: none is asked for

  void Respond(net::HttpResponse response) {
    line.status = response.status;
    line.total_s = base::SecondsSince(arrival);
    state.metrics.CountHttp(response.status);
    if (state.options.log) state.options.log(ToRecord(line));
    response.headers.emplace_back("x-request-id", line.id);
    responder->Respond(std::move(response));
  }
  void Respond(std::string json) { Respond({.status = 200, .body = std::move(json)}); }
  // `headers` come instead of those that such an error has by itself.
  void Respond(const ApiError& error, const net::HttpHeaders& headers = {}) {
    line.error = error.code.empty() ? error.type : error.code;
    net::HttpResponse response = access::ErrorResponse(error, line.id);
    std::erase_if(response.headers, [&headers](const auto& header) {
      return header.first == "x-request-id" ||
             std::ranges::find(headers, header.first,
                               [](const auto& other) { return other.first; }) != headers.end();
    });
    response.headers.insert(response.headers.end(), headers.begin(), headers.end());
    Respond(std::move(response));
  }
  // Whether the key's limits let the request in; if not, it has been answered.
  bool Admits(AnswerPlan& plan) {
    if (key == nullptr) return true;
    const auto decision = key->Ask(plan.prompt_tokens + plan.announced_tokens);
    net::HttpHeaders headers = access::RateHeaders(decision);
    if (decision.refusal != policy::RateRefusal::kNone) {
      const auto retry = access::RetryHeaders(decision);
      headers.insert(headers.end(), retry.begin(), retry.end());
      Respond(access::RateLimited(*key, decision), headers);
      return false;
    }
    plan.headers.insert(plan.headers.end(), headers.begin(), headers.end());
    plan.key = access::KeyUse(key, decision.reserved_tokens, plan.prompt_tokens);
    return true;
  }
  // Whose turn it is with the engine, and how urgent. A request may go behind others of its key's
  // rank, never before them.
  void Rank(engine::CompletionRequest& one, std::int32_t priority) const {
    one.priority = -priority;
    if (key == nullptr) return;
    one.priority = key->priority() + std::min(0, one.priority);
    one.tenant = key->name();
  }
  void Trace(AnswerPlan& plan) const {
    if (!state.options.trace) return;
    const TraceContext context = ContextOf(request.Header("traceparent"));
    if (!context.is_sampled) return;
    const engine::CompletionRequest& first = plan.requests.front();
    plan.trace = TracedRequest{.context = context,
                               .operation = OperationOf(plan),
                               .model = plan.head.model,
                               .answer_id = plan.head.id,
                               .sampling = first.sampling,
                               .max_tokens = first.max_tokens,
                               .arrival = arrival};
  }
  bool Knows(std::string_view model) const {
    const ApiServerOptions& options = state.options;
    return model == options.model ||
           std::ranges::find(options.aliases, model) != options.aliases.end();
  }
};

ApiServer::ApiServer(ApiServerOptions options, engine::CompletionService& service,
                     const TextModel& text)
    : state_(std::make_shared<ServerState>(std::move(options), service, text)) {
  state_->started = std::chrono::duration_cast<std::chrono::seconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
}

ApiServer::~ApiServer() = default;

// Before the look at the drain, so that whoever drains waits for it.
std::shared_ptr<void> ApiServer::CountInFlight() {
  ++state_->in_flight;
  return {nullptr, [state = state_](void*) { --state->in_flight; }};
}

void ApiServer::Stop(Clock::time_point give_back) {
  state_->drain.BeginFinal(give_back);
  state_->live.TellOfDrain();
}

void ApiServer::ReplaceKeys(access::ApiKeys keys) { state_->keys.Replace(std::move(keys)); }

void ApiServer::ReplaceMemberKeys(access::ApiKeys keys) { state_->member.Replace(std::move(keys)); }

std::int64_t ApiServer::in_flight() const { return state_->in_flight; }

// One thing that can be asked over HTTP.
struct ApiServer::Route {
  std::string_view path;  // with a slash at its end: and all below it
  bool is_posted;
  bool is_open;  // whoever has no key may ask it too
  void (*serve)(ApiServer&, Call&);

  static const Route* Find(std::string_view path);
};

const ApiServer::Route* ApiServer::Route::Find(std::string_view path) {
  static constexpr Route kRoutes[] = {
      {"/v1/chat/completions", true, false,
       [](ApiServer& server, Call& call) { server.Complete(call, Endpoint::kChat); }},
      {"/v1/completions", true, false,
       [](ApiServer& server, Call& call) { server.Complete(call, Endpoint::kText); }},
      {"/v1/embeddings", true, false, [](ApiServer& server, Call& call) { server.Embed(call); }},
      {"/v1/models", false, false, [](ApiServer& server, Call& call) { server.Models(call); }},
      {"/v1/models/", false, false, [](ApiServer& server, Call& call) { server.Models(call); }},
      {"/tokenize", true, false, [](ApiServer& server, Call& call) { server.Tokenize(call); }},
      {"/detokenize", true, false, [](ApiServer& server, Call& call) { server.Detokenize(call); }},
      {"/health", false, true,
       [](ApiServer&, Call& call) { call.Respond({.status = 200, .content_type = ""}); }},
      {"/ready", false, true, [](ApiServer& server, Call& call) { server.Ready(call); }},
      {"/version", false, true, [](ApiServer& server, Call& call) { server.Version(call); }},
      {"/metrics", false, true, [](ApiServer& server, Call& call) { server.ShowMetrics(call); }},
  };
  const auto found = std::ranges::find_if(kRoutes, [path](const Route& route) {
    return path == route.path || (route.path.ends_with('/') && path.starts_with(route.path));
  });
  return found == std::end(kRoutes) ? nullptr : &*found;
}

void ApiServer::Serve(net::HttpRequest request, std::shared_ptr<net::HttpResponder> responder) {
  Call call{std::move(request), std::move(responder), *state_};
  RequestLine& line = call.line;
  line.id = net::RequestIdOf(call.request);
  line.method = call.request.method;
  line.path = std::string(call.request.Path());
  line.client = call.request.peer;
  if (access::MemberAccess::IsMemberPath(line.path)) return Member(call);
  const Route* route = Route::Find(line.path);
  if (!state_->keys.is_open() && (route == nullptr || !route->is_open)) {
    const std::string_view key = call.request.Header("authorization");
    call.key = state_->keys.Find(key);
    if (call.key == nullptr) return call.Respond(protocol::InvalidApiKey(key.empty()));
    line.key = call.key->name();
  }
  if (route == nullptr) return call.Respond(protocol::UnknownUrl(line.method, line.path));
  const bool reads = line.method == "GET" || line.method == "HEAD";
  if (route->is_posted ? line.method != "POST" : !reads) {
    return call.Respond(protocol::MethodNotAllowed(line.path, route->is_posted ? "POST" : "GET"),
                        {{"Allow", route->is_posted ? "POST" : "GET, HEAD"}});
  }
  route->serve(*this, call);
}

void ApiServer::Member(Call& call) {
  auto holder = state_->member.Ask(call.request, state_->keys);
  if (!holder) return call.Respond(holder.error());
  call.line.key = std::move(*holder);
  const auto later = std::make_shared<Call>(std::move(call));  // with who answers
  // The engine's thread, which may reply, is not kept up by what answering takes.
  AnswerMember(later->request, *state_, [later, state = state_](MemberAnswer answer) {
    later->responder->Post([later, state, answer = std::move(answer)]() mutable {
      if (!answer) return later->Respond(answer.error());
      later->Respond(std::move(*answer));
    });
  });
}

void ApiServer::Ready(Call& call) {
  if (state_->drain.is_on()) return call.Respond(Draining());
  call.Respond(R"({"status":"ready"})");
}

void ApiServer::Version(Call& call) {
  call.Respond(base::WriteJson({{"version", state_->options.version}}));
}

void ApiServer::ShowMetrics(Call& call) {
  const ApiServerOptions& options = state_->options;
  call.Respond({.status = 200,
                .content_type = "text/plain; version=0.0.4; charset=utf-8",
                .body = state_->metrics.Render(state_->service.Status(), options.model,
                                               options.chips, !state_->drain.is_on()) +
                        state_->keys.Render() +
                        (options.more_metrics ? options.more_metrics() : "")});
}

void ApiServer::Models(Call& call) {
  std::vector<protocol::ListedModel> models;
  const ApiServerOptions& options = state_->options;
  base::Json ours = {{"tools", state_->text.traits().ToolsText()},
                     {"deterministic", options.determinism.is_deterministic},
                     {"certificates", base::Json::array()}};
  for (const ServingChip& chip : options.chips) {
    ours["certificates"].push_back(CertificateJson(chip.certificate));
    ours["certificates"].back()["chip"] = chip.name;
  }
  models.push_back({options.model, state_->started, state_->service.context_tokens(), ours});
  for (const std::string& alias : options.aliases) {
    models.push_back({alias, state_->started, state_->service.context_tokens(), ours});
  }
  if (call.line.path == "/v1/models") return call.Respond(protocol::ModelList(models));
  const std::string_view id = std::string_view(call.line.path).substr(sizeof "/v1/models/" - 1);
  const auto found = std::ranges::find(models, id, &protocol::ListedModel::id);
  if (found == models.end()) return call.Respond(protocol::ModelNotFound(id));
  call.Respond(protocol::ModelEntry(*found));
}

void ApiServer::Complete(Call& call, Endpoint endpoint) {
  const std::shared_ptr<void> counted = CountInFlight();
  if (state_->drain.is_on()) return call.Respond(Draining());
  auto request =
      protocol::ParseCompletionRequest(endpoint, call.request.body, state_->options.limits);
  if (!request) return call.Respond(request.error());
  if (!call.Knows(request->model)) return call.Respond(protocol::ModelNotFound(request->model));
  const std::int32_t priority = request->priority;
  auto plan = PlanCompletion(std::move(*request), *state_);
  if (!plan) return call.Respond(plan.error());
  Begin(call, priority, std::move(*plan));
}

void ApiServer::Embed(Call& call) {
  const std::shared_ptr<void> counted = CountInFlight();
  if (state_->drain.is_on()) return call.Respond(Draining());
  const auto request = protocol::ParseEmbeddingRequest(call.request.body, state_->options.limits);
  if (!request) return call.Respond(request.error());
  if (!call.Knows(request->model)) return call.Respond(protocol::ModelNotFound(request->model));
  auto plan = PlanEmbeddings(*request, *state_);
  if (!plan) return call.Respond(plan.error());
  Begin(call, request->priority, std::move(*plan));
}

void ApiServer::Begin(Call& call, std::int32_t priority, AnswerPlan plan) {
  if (!call.Admits(plan)) return;
  for (engine::CompletionRequest& one : plan.requests) call.Rank(one, priority);
  call.Trace(plan);
  plan.arrival = call.arrival;
  plan.line = std::move(call.line);
  plan.line.stream = plan.stream;
  plan.line.choices = static_cast<std::int64_t>(plan.requests.size());
  Answer::Begin(state_, std::move(call.responder), std::move(plan));
}

void ApiServer::Tokenize(Call& call) {
  const auto request = protocol::ParseTokenizeRequest(call.request.body);
  if (!request) return call.Respond(request.error());
  if (!request->model.empty() && !call.Knows(request->model)) {
    return call.Respond(protocol::ModelNotFound(request->model));
  }
  const std::int64_t context = state_->service.context_tokens();
  if (request->chat.messages.is_null()) {
    const auto tokens = state_->text.Encode(request->prompt, request->add_special);
    if (!tokens) return call.Respond(EncodingFailed(tokens.error(), "prompt"));
    return call.Respond(protocol::TokenizeAnswer(*tokens, context));
  }
  const auto chat = state_->text.EncodeChat(request->chat);
  if (!chat) return call.Respond(protocol::ToApiError(chat.error()));
  call.Respond(protocol::TokenizeAnswer(chat->tokens, context));
}

void ApiServer::Detokenize(Call& call) {
  const auto request = protocol::ParseDetokenizeRequest(call.request.body);
  if (!request) return call.Respond(request.error());
  if (!request->model.empty() && !call.Knows(request->model)) {
    return call.Respond(protocol::ModelNotFound(request->model));
  }
  if (const auto error = CheckTokens("tokens", request->tokens, state_->text.vocabulary_size())) {
    return call.Respond(*error);
  }
  call.Respond(protocol::DetokenizeAnswer(state_->text.Decode(request->tokens)));
}

}  // namespace switchyard::server
