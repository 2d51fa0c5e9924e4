#include "server/api_server.h"

#include <algorithm>

#include "access/error_response.h"
#include "base/random_bits.h"
#include "base/seconds_since.h"
#include "net/request_id.h"
#include "protocol/tokenize.h"
#include "server/answer.h"
#include "server/answer_grammar.h"
#include "server/chat_form.h"
#include "server/member_endpoints.h"

namespace switchyard::server {
namespace {

using protocol::ApiError;
using protocol::ApiResult;
using protocol::Endpoint;
using Clock = std::chrono::steady_clock;

template <typename T, typename U>
void Take(T& target, const std::optional<U>& value) {
  if (value) target = static_cast<T>(*value);
}

engine::SamplingParameters Sampling(const protocol::SamplingFields& fields,
                                    const engine::SamplingParameters& defaults) {
  engine::SamplingParameters sampling = defaults;
  Take(sampling.temperature, fields.temperature);
  Take(sampling.top_p, fields.top_p);
  Take(sampling.top_k, fields.top_k);
  Take(sampling.min_p, fields.min_p);
  Take(sampling.typical_p, fields.typical_p);
  Take(sampling.presence_penalty, fields.presence_penalty);
  Take(sampling.frequency_penalty, fields.frequency_penalty);
  Take(sampling.repetition_penalty, fields.repetition_penalty);
  sampling.logit_bias = fields.logit_bias;
  // Every reader of JSON holds 53 bits exactly.
  sampling.seed =
      fields.seed ? static_cast<std::uint64_t>(*fields.seed) : base::RandomBits() >> 11U;
  return sampling;
}

ApiError OutsideVocabulary(std::string param, engine::TokenId token, std::int32_t size) {
  return protocol::InvalidField(
      param, "invalid_value",
      fmt::format("Invalid '{}': token {} is not in the vocabulary, which has {} tokens.", param,
                  token, size));
}

std::optional<ApiError> CheckTokens(std::string_view param, std::span<const engine::TokenId> tokens,
                                    std::int32_t size) {
  for (const engine::TokenId token : tokens) {
    if (token < 0 || token >= size) return OutsideVocabulary(std::string(param), token, size);
  }
  return std::nullopt;
}

using Tokens = std::vector<engine::TokenId>;

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

// Leaves the last `kept` tokens of each, -1 meaning as many as `room`.
void Truncate(std::vector<Tokens>& prompts, std::optional<std::int64_t> kept, std::int64_t room) {
  if (!kept) return;
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(1, *kept < 0 ? room : *kept));
  for (Tokens& prompt : prompts) {
    if (prompt.size() > most)
      prompt.erase(prompt.begin(), prompt.end() - static_cast<std::ptrdiff_t>(most));
  }
}

// Each word as it stands at the beginning and behind a space, which most vocabularies tell apart.
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

void SetOutput(engine::CompletionRequest& one, const protocol::OutputFields& output,
               std::vector<Tokens> bad_words) {
  one.rules.min_tokens = output.min_tokens;
  one.rules.allowed = output.allowed_token_ids;
  one.rules.bad = std::move(bad_words);
  one.includes_stop = output.include_stop;
  one.skips_special = output.skip_special_tokens;
}

ApiError Draining() {
  return protocol::ToApiError(
      {base::ErrorCode::kUnavailable, "the server stops or is drained and takes no new requests"});
}

// `completion`: tokens that must fit behind each.
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

struct EncodedPrompts {
  std::vector<Tokens> prompts;
  bool begins_in_reasoning = false;  // of chats
};

ApiResult<EncodedPrompts> EncodePrompts(const protocol::CompletionRequest& request,
                                        const TextModel& text) {
  if (request.endpoint == Endpoint::kChat) {
    auto chat = text.EncodeChat(request.chat);
    if (!chat) return std::unexpected(EncodingFailed(chat.error(), "messages"));
    return EncodedPrompts{{std::move(chat->tokens)}, chat->begins_in_reasoning};
  }
  auto prompts = EncodeTexts(request.prompts, "prompt", text);
  if (!prompts) return std::unexpected(std::move(prompts.error()));
  return EncodedPrompts{std::move(*prompts)};
}

// What a resumed request says of its tokens.
std::optional<ApiError> CheckResume(const protocol::CompletionRequest& request,
                                    const std::vector<std::vector<engine::TokenId>>& prompts,
                                    std::int64_t context_tokens, std::int32_t vocabulary) {
  if (!request.member.resume) return std::nullopt;
  for (const auto& prompt : request.member.resume->prompts) {
    auto error = CheckTokens("switchyard.resume.prompt_token_ids", prompt, vocabulary);
    if (error) return error;
  }
  constexpr std::string_view kParam = "switchyard.resume.choices";
  for (const protocol::ResumedChoice& choice : request.member.resume->choices) {
    if (auto error = CheckTokens(kParam, choice.token_ids, vocabulary)) return error;
    const auto prompt = std::ssize(prompts[static_cast<std::size_t>(choice.index / request.n)]);
    const auto tokens = prompt + std::ssize(choice.token_ids);
    if (tokens > context_tokens) {
      return protocol::ContextLengthExceeded(context_tokens, prompt, tokens - prompt,
                                             std::string(kParam));
    }
  }
  return std::nullopt;
}

// Everything that can be said against a request before the engine sees it.
std::optional<ApiError> CheckAgainstModel(const protocol::CompletionRequest& request,
                                          const std::vector<Tokens>& prompts,
                                          const engine::SamplingParameters& sampling,
                                          std::int64_t context_tokens, std::int32_t vocabulary) {
  const std::string param = request.endpoint == Endpoint::kChat ? "messages" : "prompt";
  if (auto error = CheckResume(request, prompts, context_tokens, vocabulary)) return error;
  if (auto error = CheckLengths(prompts, request.max_tokens.value_or(0), context_tokens, param)) {
    return error;
  }
  for (const auto& [token, bias] : sampling.logit_bias) {
    if (token >= vocabulary) return OutsideVocabulary("logit_bias", token, vocabulary);
  }
  if (auto error = CheckTokens("stop_token_ids", request.stop_token_ids, vocabulary)) return error;
  if (auto error = CheckTokens("allowed_token_ids", request.output.allowed_token_ids, vocabulary)) {
    return error;
  }
  if (const auto status = engine::Validate(sampling); !status) {
    return protocol::ToApiError(status.error());
  }
  return std::nullopt;
}

void PlanMember(const protocol::CompletionRequest& request,
                const std::vector<std::vector<engine::TokenId>>& prompts,
                const engine::SamplingParameters& sampling, AnswerPlan& plan) {
  MemberPlan& member = plan.member;
  member.token_ids = request.member.return_token_ids;
  member.has_extension = request.member.has_extension;
  member.prompt_ids_once = request.member.prompt_ids_once;
  member.seed = static_cast<std::int64_t>(sampling.seed);
  // Told to everyone, so that whoever sees a stream break can go on with it.
  plan.headers.emplace_back("x-switchyard-seed", std::to_string(member.seed));
  if (member.speaks()) member.prompts = prompts;
  if (member.has_extension) plan.head.seed = member.seed;
  if (!request.member.resume) return;
  member.is_resumed = true;
  if (!request.member.resume->id.empty()) plan.head.id = request.member.resume->id;
  if (request.member.resume->created) plan.head.created = *request.member.resume->created;
}

void ResumeChoices(std::vector<protocol::ResumedChoice> choices, AnswerPlan& plan) {
  plan.member.is_begun.resize(plan.requests.size());
  plan.member.is_finished.resize(plan.requests.size());
  for (protocol::ResumedChoice& choice : choices) {
    const auto index = static_cast<std::size_t>(choice.index);
    plan.member.is_begun[index] = true;
    plan.member.is_finished[index] = choice.is_finished;
    plan.requests[index].resumed = std::move(choice.token_ids);
  }
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
  // Whether the key's limits let the request in; if not, it has been answered. `announced`: tokens
  // of each prompt's answers, as far as the request tells.
  bool Admits(const std::vector<Tokens>& prompts, std::int64_t announced, AnswerPlan& plan) {
    if (key == nullptr) return true;
    std::int64_t prompt_tokens = 0;
    for (const Tokens& prompt : prompts) prompt_tokens += std::ssize(prompt);
    const auto decision = key->Ask(prompt_tokens + announced * std::ssize(prompts));
    plan.headers = access::RateHeaders(decision);
    if (decision.refusal != policy::RateRefusal::kNone) {
      const auto retry = access::RetryHeaders(decision);
      plan.headers.insert(plan.headers.end(), retry.begin(), retry.end());
      Respond(access::RateLimited(*key, decision), plan.headers);
      return false;
    }
    plan.key = access::KeyUse(key, decision.reserved_tokens, prompt_tokens);
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
  void Trace(std::string operation, const engine::CompletionRequest& one, AnswerPlan& plan) const {
    if (!state.options.trace) return;
    const TraceContext context = ContextOf(request.Header("traceparent"));
    if (!context.is_sampled) return;
    plan.trace = TracedRequest{.context = context,
                               .operation = std::move(operation),
                               .model = plan.head.model,
                               .answer_id = plan.head.id,
                               .sampling = one.sampling,
                               .max_tokens = one.max_tokens,
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

void ApiServer::Serve(net::HttpRequest request, std::shared_ptr<net::HttpResponder> responder) {
  Call call{std::move(request), std::move(responder), *state_};
  call.line.id = net::RequestIdOf(call.request);
  call.line.method = call.request.method;
  call.line.path = std::string(call.request.Path());
  call.line.client = call.request.peer;
  if (access::MemberAccess::IsMemberPath(call.line.path)) return Member(call);
  const bool is_open = call.line.path == "/health" || call.line.path == "/ready" ||
                       call.line.path == "/metrics" || call.line.path == "/version";
  if (!state_->keys.is_open() && !is_open) {
    const std::string_view key = call.request.Header("authorization");
    call.key = state_->keys.Find(key);
    if (call.key == nullptr) return call.Respond(protocol::InvalidApiKey(key.empty()));
    call.line.key = call.key->name();
  }
  Route(call);
}

void ApiServer::Route(Call& call) {
  const std::string& path = call.line.path;
  const bool reads = call.line.method == "GET" || call.line.method == "HEAD";
  const bool posted = path == "/v1/chat/completions" || path == "/v1/completions" ||
                      path == "/v1/embeddings" || path == "/tokenize" || path == "/detokenize";
  const bool read = path == "/v1/models" || path.starts_with("/v1/models/") || path == "/health" ||
                    path == "/ready" || path == "/metrics" || path == "/version";
  if (!posted && !read) {
    return call.Respond(protocol::UnknownUrl(call.line.method, path));
  }
  if ((posted && call.line.method != "POST") || (read && !reads)) {
    return call.Respond(protocol::MethodNotAllowed(path, posted ? "POST" : "GET"),
                        {{"Allow", posted ? "POST" : "GET, HEAD"}});
  }
  if (path == "/v1/chat/completions") return Complete(call, Endpoint::kChat);
  if (path == "/v1/completions") return Complete(call, Endpoint::kText);
  if (path == "/v1/embeddings") return Embed(call);
  if (path == "/tokenize") return Tokenize(call);
  if (path == "/detokenize") return Detokenize(call);
  if (path == "/health") return call.Respond({.status = 200, .content_type = ""});
  if (path == "/version") {
    return call.Respond(base::WriteJson({{"version", state_->options.version}}));
  }
  if (path == "/metrics") {
    return call.Respond(
        {.status = 200,
         .content_type = "text/plain; version=0.0.4; charset=utf-8",
         .body = state_->metrics.Render(state_->service.Status(), state_->options.model,
                                        state_->options.chips, !state_->drain.is_on()) +
                 state_->keys.Render() +
                 (state_->options.more_metrics ? state_->options.more_metrics() : "")});
  }
  if (path == "/ready") {
    if (!state_->drain.is_on()) return call.Respond(R"({"status":"ready"})");
    return call.Respond(Draining());
  }
  Models(call);
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
  auto encoded = EncodePrompts(*request, state_->text);
  if (!encoded) return call.Respond(encoded.error());
  if (request->member.resume && !request->member.resume->prompts.empty()) {
    encoded->prompts = request->member.resume->prompts;
  }
  Truncate(encoded->prompts, request->output.truncate_prompt_tokens,
           state_->service.context_tokens() -
               std::max<std::int64_t>(1, request->max_tokens.value_or(1)));
  const auto sampling = Sampling(request->sampling, state_->options.sampling);
  if (const auto error =
          CheckAgainstModel(*request, encoded->prompts, sampling, state_->service.context_tokens(),
                            state_->text.vocabulary_size())) {
    return call.Respond(*error);
  }
  protocol::ChoiceForm form;
  if (endpoint == Endpoint::kChat) {
    form = FormOf(*request, state_->text.traits(), encoded->begins_in_reasoning);
  }
  auto grammar = CompileGrammar(*request, form.answer, *state_);
  if (!grammar) return call.Respond(grammar.error());
  auto bad_words = EncodeWords(request->output.bad_words, state_->text);
  if (!bad_words) return call.Respond(bad_words.error());

  AnswerPlan plan;
  // What a request does not announce is charged when it has been used.
  const std::int64_t announced = request->max_tokens.value_or(0) * request->output.best_of;
  if (!call.Admits(encoded->prompts, announced, plan)) return;
  plan.head.endpoint = endpoint;
  plan.head.id = fmt::format("{}-{:016x}{:08x}", endpoint == Endpoint::kChat ? "chatcmpl" : "cmpl",
                             base::RandomBits(), base::RandomBits() & 0xFFFFFFFFU);
  plan.head.created = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  plan.head.model = request->model;
  plan.head.usage_follows = request->include_usage;
  plan.stream = request->stream;
  plan.logprobs = request->top_logprobs >= 0;
  plan.choices_by_prompt = static_cast<std::size_t>(request->output.best_of);
  plan.given_by_prompt = static_cast<std::size_t>(request->n);
  if (request->output.echo) {
    for (std::size_t i = 0; i < encoded->prompts.size(); ++i) {
      const auto* words = std::get_if<std::string>(&request->prompts[i]);
      const bool is_whole = words != nullptr && !request->output.truncate_prompt_tokens;
      // Not decoded, or it would show the special tokens that the model wants around a text.
      plan.echoes.push_back(is_whole ? *words : state_->text.Decode(encoded->prompts[i]));
    }
  }
  plan.arrival = call.arrival;
  plan.form = std::move(form);
  PlanMember(*request, encoded->prompts, sampling, plan);

  engine::CompletionRequest one;
  one.sampling = sampling;
  one.max_tokens = request->max_tokens.value_or(-1);
  one.stops = request->stop;
  one.stop_tokens = request->stop_token_ids;
  if (!request->ignore_eos) {
    const auto ends = state_->text.end_tokens();
    one.end_tokens.assign(ends.begin(), ends.end());
  }
  one.grammar = std::move(*grammar);
  one.shown_tokens = ShownTokens(plan.form.answer, state_->text);
  // The best are found by their logprobs.
  const bool rates = plan.given_by_prompt < plan.choices_by_prompt;
  one.top_logprobs = rates ? std::max(request->top_logprobs, 0) : request->top_logprobs;
  SetOutput(one, request->output, std::move(*bad_words));
  one.continues_text = endpoint == Endpoint::kText || request->chat.fields.continue_final_message;
  call.Rank(one, request->priority);
  for (auto& prompt : encoded->prompts) {
    one.prompt = std::move(prompt);
    for (std::int32_t choice = 0; choice < request->output.best_of; ++choice) {
      one.sampling.choice = static_cast<std::uint32_t>(choice);
      plan.requests.push_back(one);
    }
  }
  if (request->member.resume) ResumeChoices(std::move(request->member.resume->choices), plan);
  call.Trace(endpoint == Endpoint::kChat ? "chat" : "text_completion", one, plan);
  plan.line = std::move(call.line);
  plan.line.stream = plan.stream;
  plan.line.choices = static_cast<std::int64_t>(plan.requests.size());
  Answer::Begin(state_, std::move(call.responder), std::move(plan));
}

void ApiServer::Embed(Call& call) {
  const std::shared_ptr<void> counted = CountInFlight();
  if (state_->drain.is_on()) return call.Respond(Draining());
  const auto request = protocol::ParseEmbeddingRequest(call.request.body, state_->options.limits);
  if (!request) return call.Respond(request.error());
  if (!call.Knows(request->model)) return call.Respond(protocol::ModelNotFound(request->model));
  auto inputs = EncodeTexts(request->inputs, "input", state_->text);
  if (!inputs) return call.Respond(inputs.error());
  const std::int64_t context = state_->service.context_tokens();
  Truncate(*inputs, request->truncate_prompt_tokens, context - 1);
  if (const auto error = CheckLengths(*inputs, 0, context, "input")) return call.Respond(*error);

  AnswerPlan plan;
  if (!call.Admits(*inputs, 0, plan)) return;
  plan.head.model = request->model;
  plan.embedding = request->form;
  plan.arrival = call.arrival;
  for (Tokens& input : *inputs) {
    engine::CompletionRequest& one = plan.requests.emplace_back();
    one.embeds = true;
    one.prompt = std::move(input);
    call.Rank(one, request->priority);
  }
  call.Trace("embeddings", plan.requests.front(), plan);
  plan.line = std::move(call.line);
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
