// What the client of an exchange gets.
#include <algorithm>

#include "access/error_response.h"
#include "base/json.h"
#include "gateway/exchange.h"
#include "protocol/completion_response.h"
#include "protocol/json_items.h"

namespace switchyard::gateway {
namespace {

// What a whole answer says of its usage.
struct Usage {
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
};

// Statuses that tell of a member, not of the request.
bool IsMembersOwn(int status) {
  return status == 401 || status == 403 || status == 404 || status == 405 || status == 501;
}

// More than any answer has; sums of such numbers stay far from their limits.
constexpr std::int64_t kMostTokens = std::int64_t{1} << 40;

Usage UsageOf(std::string_view body) {
  Usage usage;
  for (protocol::JsonItems items(body); items.Next();) {
    if (items.key() != "usage") continue;
    for (protocol::JsonItems each(items.value()); each.Next();) {
      const std::int64_t told = protocol::JsonInteger(each.value()).value_or(0);
      const std::int64_t value = std::clamp<std::int64_t>(told, 0, kMostTokens);
      if (each.key() == "prompt_tokens") usage.prompt_tokens = value;
      if (each.key() == "completion_tokens") usage.completion_tokens = value;
    }
    break;
  }
  return usage;
}

}  // namespace

net::HttpHeaders Exchange::Headers() const {
  net::HttpHeaders headers;
  headers.reserve(request_->limits.size() + 8);
  headers.assign(request_->limits.begin(), request_->limits.end());
  headers.emplace_back("x-request-id", request_->id);
  if (asked_.config != nullptr) headers.emplace_back("x-switchyard-member", asked_.config->name);
  if (request_->is_completion()) {
    headers.emplace_back("x-switchyard-seed", std::to_string(request_->seed));
  }
  if (!moves_.empty()) headers.emplace_back("x-switchyard-handover", moves_);
  if (!hedge_told_.empty()) headers.emplace_back("x-switchyard-hedge", hedge_told_);
  return headers;
}

void Exchange::BeginStream() {
  is_streaming_ = true;
  net::HttpHeaders headers = Headers();
  headers.emplace_back("Cache-Control", "no-cache");
  headers.emplace_back("X-Accel-Buffering", "no");
  responder_->BeginStream(
      {.content_type = "text/event-stream; charset=utf-8", .headers = std::move(headers)});
}

void Exchange::Flush() {
  if (!has_token()) return;
  if (failed_) {
    context_.metrics.hand_over_s.Observe(
        std::chrono::duration<double>(*last_token_ - *failed_).count());
    failed_.reset();
  }
  if (!first_token_s_) {
    first_token_s_ = std::chrono::duration<double>(*last_token_ - request_->arrival).count();
    context_.metrics.time_to_first_token_s.Observe(*first_token_s_);
  }
  if (out_.empty()) return;
  if (!is_streaming_) BeginStream();
  responder_->Write(std::exchange(out_, {}));
}

void Exchange::Complete() {
  ran_on_.push_back(asked_.config->name);
  EndWhole();
}

void Exchange::CompleteByLength() {
  ledger_->EndByLength(out_);
  EndWhole();
}

void Exchange::EndWhole() {
  asked_.attempt.Finished(ledger_->prompt_tokens(), ledger_->completion_tokens());
  if (request_->outline.stream) {
    if (!is_streaming_) BeginStream();
    out_ += ledger_->MissingUsage();
    out_ += protocol::kDoneEvent;
    responder_->Write(std::exchange(out_, {}));
    responder_->EndStream();
  } else {
    responder_->Respond({.headers = Headers(), .body = ledger_->Whole()});
  }
  Close(200, "");
}

// A whole answer of a member's; only the model's name may be another.
void Exchange::CompleteAsItCame() {
  ran_on_.push_back(asked_.config->name);
  const Usage usage = UsageOf(body_);
  asked_.attempt.Finished(usage.prompt_tokens, usage.completion_tokens);
  whole_tokens_ = usage.completion_tokens;
  if (!asked_.shown_model.empty()) {
    std::string shown;
    protocol::AppendChunk(body_, {.model = asked_.shown_model}, shown);
    body_ = std::move(shown);
  }
  responder_->Respond({.headers = Headers(), .body = std::move(body_)});
  Close(200, "");
}

std::int64_t Exchange::CompletionTokens() const {
  return whole_tokens_.value_or(ledger_->completion_tokens());
}

void Exchange::PassOn(const Refusal& refusal) {
  net::HttpHeaders headers = Headers();
  for (const std::string_view name : {"retry-after", "retry-after-ms", "x-should-retry"}) {
    if (const auto value = refusal.head.Header(name); !value.empty()) {
      headers.emplace_back(name, value);
    }
  }
  const std::string_view type = refusal.head.Header("content-type");
  responder_->Respond({.status = refusal.head.status,
                       .content_type = type.empty() ? "application/json" : std::string(type),
                       .headers = std::move(headers),
                       .body = refusal.body});
  Close(refusal.head.status, "member_refused");
}

void Exchange::Respond(const protocol::ApiError& error, double retry_after_s) {
  net::HttpResponse response = access::ErrorResponse(error, request_->id);
  for (auto& [name, value] : response.headers) {
    if (name == "Retry-After" && retry_after_s > 0) {
      value = std::to_string(static_cast<std::int64_t>(retry_after_s + 0.999));
    }
  }
  responder_->Respond(std::move(response));
  Close(error.status, error.code.empty() ? error.type : error.code);
}

void Exchange::EndWith(const protocol::ApiError& error) {
  context_.metrics.CountInterrupted();
  responder_->Write(std::exchange(out_, {}) + protocol::ErrorEvent(error));
  responder_->EndStream();
  Close(error.status, error.code);
}

void Exchange::RefuseByPolicy(const policy::RouteRefusal& refusal) {
  const protocol::ApiError error{
      .status = 403, .message = refusal.message, .type = "policy_error", .code = refusal.code};
  is_streaming_ ? EndWith(error) : Respond(error);
}

void Exchange::GiveUp() {
  if (IsAllSaid(*request_, *ledger_)) return CompleteByLength();
  if (failures_.empty()) failures_ = std::move(earlier_);
  std::string why = failures_.empty() ? "no member can be reached" : "";
  for (const Failure& failure : failures_) {
    if (!why.empty()) why += "; ";
    why += fmt::format("{}: {}", failure.member, failure.why);
  }
  if (is_streaming_) {
    return EndWith(
        {.status = 502,
         .message = fmt::format("The answer broke off and no member can go on with it ({}).", why),
         .type = "server_error",
         .code = "answer_interrupted"});
  }
  // The member's own words say more than ours, unless they are about its own keys, or about an
  // endpoint that others have.
  if (refusal_ && (!IsMembersOwn(refusal_->head.status) || !is_served_)) {
    return PassOn(*refusal_);
  }
  const bool is_late = std::ranges::any_of(failures_, &Failure::IsSilence);
  const int status = failures_.empty() ? 503 : is_late ? 504 : 502;
  Respond({.status = status,
           .message = fmt::format("No member could answer ({}).", why),
           .type = "server_error",
           .code = status == 504 ? "members_too_slow" : "no_member_available"});
}

}  // namespace switchyard::gateway
