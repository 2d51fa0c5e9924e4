// What the member that was asked says.
#include <algorithm>
#include <utility>

#include "gateway/exchange.h"
#include "gateway/internal/context_refusal.h"

namespace switchyard::gateway {
namespace {

// Of an answer that is no stream; embeddings of a long list are the largest.
constexpr std::size_t kMostBodyBytes = 256 << 20;

}  // namespace

void Exchange::OnHead(net::CallHead head) {
  head_ = std::move(head);
  if (head_.status != 200) return;
  if (asked_.plan.as_stream) {
    if (internal::IsEventStream(head_)) events_ = std::make_unique<net::SseReader>();
    return;
  }
  // A whole answer is all there when its head comes.
  asked_.attempt.FirstToken();
  HearFirstToken();
}

void Exchange::OnBody(std::string_view piece) {
  if (is_over_) return;
  if (!events_) {
    body_ += piece;
    if (body_.size() <= kMostBodyBytes) return;
    return Failed(FailureCause::kNotUnderstood, "its answer is larger than any should be");
  }
  const auto self = shared_from_this();
  const int number = asked_.number;
  auto events = std::move(events_);
  const auto read = events->Push(piece, [this](const auto& event) { return OnEvent(event); });
  // An event may have ended this attempt, and another one may have begun.
  if (is_over_ || asked_.call == nullptr || asked_.number != number) return;
  events_ = std::move(events);
  Flush();
  if (!read) return Failed(FailureCause::kNotUnderstood, read.error().message);
  if (!is_done_) return;
  if (ledger_->is_complete()) return Complete();
  Failed(FailureCause::kCutShort, "it ended its answer without a finish_reason");
}

bool Exchange::OnEvent(const net::SseEvent& event) {
  if (!event.has_data) return true;
  if (event.data.starts_with("[DONE]")) {
    is_done_ = true;
    return false;
  }
  switch (ledger_->Take(event.data, out_)) {
    case Heard::kNothing:
      return true;
    case Heard::kTokens:
      OnToken();
      return true;
    case Heard::kError:
      OnErrorInStream();
      return false;
    case Heard::kOtherText:
      Failed(FailureCause::kNotUnderstood, "it began anew with another text");
      return false;
    case Heard::kNotUnderstood:
      // Where tokens are counted none may be missing.
      if (asked_.plan.asks_token_ids) {
        Failed(FailureCause::kNotUnderstood, "it sent what is no chunk of an answer");
        return false;
      }
      context_.metrics.CountSkippedChunk();
      return true;
  }
  return true;
}

void Exchange::OnToken() {
  const auto now = Clock::now();
  // Also over a hand-over: what the client waited for it.
  if (given_) longest_gap_ = std::max(longest_gap_, now - *given_);
  given_ = now;
  const bool is_first = !has_token();
  last_token_ = now;
  asked_.attempt.FirstToken();
  if (is_first) HearFirstToken();
}

void Exchange::OnErrorInStream() {
  Flush();
  internal::MemberVerdict verdict = internal::OfStreamError(ledger_->error());
  if (!verdict.cause && !ledger_->has_begun()) {
    asked_.attempt.Cancelled();
    return Refused({.head = {.status = 400, .headers = {}},
                    .body = fmt::format("{{\"error\":{}}}", ledger_->error())});
  }
  Failed(verdict.cause.value_or(FailureCause::kServerError), std::move(verdict.why));
}

void Exchange::OnEnd() {
  const std::unique_ptr<net::HttpCall> call = std::move(asked_.call);
  if (is_over_) return timer_->Stop();
  if (head_.status != 200) return OnStatus();
  if (!events_) return OnWholeBody();
  if (ledger_->is_complete()) return Complete();
  Failed(FailureCause::kCutShort, "it ended its answer without a finish_reason");
}

void Exchange::OnWholeBody() {
  const bool is_json = body_.find_first_not_of(" \t\r\n") != std::string::npos &&
                       body_[body_.find_first_not_of(" \t\r\n")] == '{';
  if (asked_.plan.as_stream || !is_json) {
    return Failed(FailureCause::kNotUnderstood, "its answer is not of the form that was asked for");
  }
  CompleteAsItCame();
}

void Exchange::OnStatus() {
  internal::MemberVerdict verdict = internal::OfStatus(head_, body_);
  const bool has_continued = ledger_->has_begun() && asked_.plan.level == HandOverLevel::kContinue;
  const bool is_refused = !verdict.cause || verdict.cause == FailureCause::kNotServed;
  if (is_refused && has_continued && attempts_ < config_->retry.attempts) {
    asked_.attempt.Cancelled();
    refuses_continuation_.insert(asked_.config->name);  // and may begin anew all the same
    timer_->Stop();
    return Choose();
  }
  if (!verdict.cause) {
    asked_.attempt.Cancelled();  // it works; the request does not
    if (ledger_->has_begun()) {
      return Failed(FailureCause::kNotUnderstood,
                    fmt::format("it refused to go on, with HTTP {}", head_.status));
    }
    return Refused({std::move(head_), std::move(body_)});
  }
  if (head_.status >= 400 && verdict.cause != FailureCause::kHandBack) {
    refusal_ = Refusal{std::move(head_), std::move(body_)};
  }
  Failed(*verdict.cause, std::move(verdict.why), verdict.retry_after);
}

// The request is wrong, everywhere alike; unless it is only too long, and somebody has more room.
void Exchange::Refused(Refusal refusal) {
  const auto view = context_.fleet.snapshot();
  const std::string_view name = view->config->Canonical(request_->outline.model);
  const bool is_larger_known =
      asked_.context_tokens > 0 && internal::IsTooLongForContext(refusal.body) &&
      std::ranges::any_of(view->members, [&](const Member& member) {
        const ModelState* const model = member.Model(name);
        return model != nullptr && model->context_tokens > asked_.context_tokens;
      });
  if (!is_larger_known || attempts_ >= config_->retry.attempts || !context_.fleet.MayRetry()) {
    return PassOn(refusal);
  }
  asked_.call.reset();
  timer_->Stop();
  EndHedge(HedgeEnd::kDropped);
  too_short_tokens_ = asked_.context_tokens;
  refusal_ = std::move(refusal);
  Choose();
}

void Exchange::OnFailure(net::CallFailure failure) {
  const std::unique_ptr<net::HttpCall> call = std::move(asked_.call);
  if (is_over_) return timer_->Stop();
  if (failure.error.code == base::ErrorCode::kInternal && context_.log) {
    context_.log({.level = base::LogLevel::kError,
                  .message = "an answer was not taken in",
                  .fields = {{"id", request_->id},
                             {"member", asked_.config->name},
                             {"why", failure.error.message}}});
  }
  Failed(internal::OfFailure(failure, has_token()), std::move(failure.error.message));
}

}  // namespace switchyard::gateway
