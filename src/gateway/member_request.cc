#include "gateway/member_request.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "protocol/json_items.h"

namespace switchyard::gateway {
namespace {

using protocol::EditedBody;
using protocol::RequestOutline;

std::string Quoted(std::string_view text) { return base::WriteJson(text); }

std::string_view PathOf(RequestKind kind) {
  switch (kind) {
    case RequestKind::kChat:
      return "/v1/chat/completions";
    case RequestKind::kCompletions:
      return "/v1/completions";
    case RequestKind::kEmbeddings:
      return "/v1/embeddings";
    case RequestKind::kTokenize:
      return "/tokenize";
    case RequestKind::kDetokenize:
      return "/detokenize";
  }
  return "/";
}

// What is given already counts against the answer's length.
void ShortenBy(std::int64_t tokens, const RequestOutline& outline, EditedBody& body) {
  for (const std::string_view key : {"max_tokens", "max_completion_tokens"}) {
    const auto most = protocol::JsonInteger(outline.Find(key));
    if (most) body.Set(outline, key, std::to_string(std::max<std::int64_t>(1, *most - tokens)));
  }
}

void Continue(const ClientRequest& request, const AnswerLedger& ledger, EditedBody& body) {
  const RequestOutline& outline = request.outline;
  ShortenBy(ledger.completion_tokens(), outline, body);
  if (request.kind == RequestKind::kCompletions) {
    const auto prompt = protocol::JsonString(outline.Find("prompt"));
    return body.Set(outline, "prompt", Quoted(prompt.value_or("") + ledger.text()));
  }
  std::string messages(outline.Find("messages"));
  messages.erase(messages.find_last_of(']'));
  const bool is_first = protocol::IsJsonFalsy(messages + "]");
  messages += fmt::format("{}{{\"role\":\"assistant\",\"content\":{}}}]", is_first ? "" : ",",
                          Quoted(ledger.text()));
  body.Set(outline, "messages", std::move(messages));
  body.Set(outline, "continue_final_message", "true");
  body.Set(outline, "add_generation_prompt", "false");
}

// Of a chat's fields those that say how tokens are drawn, which a completion has as well.
constexpr std::array<std::string_view, 17> kDrawing{"temperature",
                                                    "top_p",
                                                    "top_k",
                                                    "min_p",
                                                    "presence_penalty",
                                                    "logit_bias",
                                                    "stop_token_ids",
                                                    "frequency_penalty",
                                                    "repetition_penalty",
                                                    "ignore_eos",
                                                    "bad_words",
                                                    "skip_special_tokens",
                                                    "stream_options",
                                                    "user",
                                                    "priority",
                                                    "service_tier",
                                                    "spaces_between_special_tokens"};

// All tokens so far are the prompt of what is left.
std::string FromTokens(const ClientRequest& request, const ModelState& model,
                       const AnswerLedger& ledger) {
  const RequestOutline& outline = request.outline;
  const std::int64_t done = ledger.settled_tokens();
  const std::int64_t room = model.context_tokens - ledger.prompt_tokens();
  const std::int64_t left = std::max<std::int64_t>(1, outline.max_tokens.value_or(room) - done);
  std::string body = fmt::format(
      R"({{"model":{},"prompt":{},"max_tokens":{},"seed":{},"stream":true,"return_token_ids":true)",
      Quoted(model.upstream), ledger.TokensJson(), left, request.seed);
  for (const std::string_view key : kDrawing) {
    if (const auto value = outline.Find(key); !value.empty()) {
      body += fmt::format(",\"{}\":{}", key, value);
    }
  }
  if (const auto least = protocol::JsonInteger(outline.Find("min_tokens"))) {
    body += fmt::format(",\"min_tokens\":{}", std::max<std::int64_t>(0, *least - done));
  }
  return body + "}";
}

void Ask(const ClientRequest& request, const Member& member, const AskPlan& plan,
         const AnswerLedger& ledger, EditedBody& body) {
  const RequestOutline& outline = request.outline;
  // With it another member draws the same tokens.
  if (!outline.seed && plan.as_stream) body.Set(outline, "seed", std::to_string(request.seed));
  if (!outline.stream && plan.as_stream) {
    body.Set(outline, "stream", "true");
    body.Set(outline, "stream_options", "{\"include_usage\":true}");
  }
  if (plan.asks_token_ids && !outline.return_token_ids) {
    body.Set(outline, "return_token_ids", "true");
  }
  if (plan.level == HandOverLevel::kContinue) Continue(request, ledger, body);
  // The ledger needs a prompt's ids once, and the client sees none.
  const std::string_view once =
      plan.asks_token_ids && !outline.return_token_ids ? ",\"prompt_ids_once\":true" : "";
  if (plan.level == HandOverLevel::kTokens) {
    body.Set(outline, "switchyard",
             fmt::format("{{\"version\":1{},\"resume\":{}}}", once, ledger.ResumeJson()));
  } else if (member.config->kind == MemberKind::kSwitchyard && plan.as_stream &&
             !outline.has_extension) {
    body.Set(outline, "switchyard", fmt::format("{{\"version\":1{}}}", once));
  }
}

// The pieces of a body, and all that they lie in.
struct KeptBody {
  KeptBody(std::shared_ptr<const ClientRequest> client)
      : request(std::move(client)), body(request->http.body) {}
  std::shared_ptr<const ClientRequest> request;  // with whoever else serves it
  EditedBody body;
  std::string instead = {};  // of the client's body
};

}  // namespace

net::CallRequest ToMember(const std::shared_ptr<const ClientRequest>& request, const Member& member,
                          const ModelState& model, const AskPlan& plan,
                          const AnswerLedger& ledger) {
  const auto kept = std::make_shared<KeptBody>(request);
  const RequestOutline& outline = request->outline;
  if (plan.from_tokens) {
    kept->instead = FromTokens(*request, model, ledger);
  } else if (model.upstream != outline.model) {
    kept->body.Set(outline, "model", Quoted(model.upstream));
  }
  if (request->is_completion() && !plan.from_tokens) {
    Ask(*request, member, plan, ledger, kept->body);
  }

  const RequestKind kind = plan.from_tokens ? RequestKind::kCompletions : request->kind;
  net::CallRequest call{.target = std::string(PathOf(kind))};
  call.headers.reserve(8);
  call.headers.emplace_back("Content-Type", "application/json");
  call.headers.emplace_back("Accept", plan.as_stream ? "text/event-stream" : "application/json");
  call.headers.emplace_back("User-Agent", "switchyard-gateway");
  call.headers.emplace_back("x-request-id", request->id);
  if (!member.config->api_key.empty()) {
    call.headers.emplace_back("Authorization", "Bearer " + member.config->api_key);
  }
  for (const std::string_view name : {"traceparent", "tracestate"}) {
    if (const auto value = request->http.Header(name); !value.empty()) {
      call.headers.emplace_back(name, value);
    }
  }
  call.body = plan.from_tokens ? std::vector<std::string_view>{kept->instead} : kept->body.Pieces();
  call.keeper = kept;
  return call;
}

}  // namespace switchyard::gateway
