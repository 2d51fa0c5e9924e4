#include "gateway/member_request.h"

#include <algorithm>

#include "base/json.h"
#include "protocol/json_items.h"

namespace switchyard::gateway {
namespace {

using protocol::EditedBody;
using protocol::RequestOutline;

std::string Quoted(std::string_view text) {
  return base::Json(text).dump(-1, ' ', false, base::Json::error_handler_t::replace);
}

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
  if (plan.level == HandOverLevel::kTokens) {
    body.Set(outline, "switchyard",
             fmt::format("{{\"version\":1,\"resume\":{}}}", ledger.ResumeJson()));
  } else if (member.config->kind == MemberKind::kSwitchyard && plan.as_stream &&
             !outline.has_extension) {
    body.Set(outline, "switchyard", "{\"version\":1}");
  }
}

// The pieces of a body, and all that they lie in.
struct KeptBody {
  KeptBody(std::shared_ptr<const ClientRequest> client)
      : request(std::move(client)), body(request->http.body) {}
  std::shared_ptr<const ClientRequest> request;  // with whoever else serves it
  EditedBody body;
};

}  // namespace

net::CallRequest ToMember(const std::shared_ptr<const ClientRequest>& request,
                          const Member& member, const ModelState& model, const AskPlan& plan,
                          const AnswerLedger& ledger) {
  const auto kept = std::make_shared<KeptBody>(request);
  const RequestOutline& outline = request->outline;
  if (model.upstream != outline.model) {
    kept->body.Set(outline, "model", Quoted(model.upstream));
  }
  if (request->is_completion()) Ask(*request, member, plan, ledger, kept->body);

  net::CallRequest call{.target = std::string(PathOf(request->kind))};
  call.headers = {{"Content-Type", "application/json"},
                  {"Accept", plan.as_stream ? "text/event-stream" : "application/json"},
                  {"User-Agent", "switchyard-gateway"},
                  {"x-request-id", request->id}};
  if (!member.config->api_key.empty()) {
    call.headers.emplace_back("Authorization", "Bearer " + member.config->api_key);
  }
  for (const std::string_view name : {"traceparent", "tracestate"}) {
    if (const auto value = request->http.Header(name); !value.empty()) {
      call.headers.emplace_back(name, value);
    }
  }
  call.body = kept->body.Pieces();
  call.keeper = kept;
  return call;
}

}  // namespace switchyard::gateway
