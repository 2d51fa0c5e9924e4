#include "gateway/hedge.h"

#include <utility>

namespace switchyard::gateway {

Hedge::Hedge(std::shared_ptr<HedgeOwner> owner, AskedMember asked, AnswerLedger ledger)
    : owner_(std::move(owner)), asked_(std::move(asked)), ledger_(std::move(ledger)) {
  ledger_.Begin({.tells_token_ids = asked_.plan.asks_token_ids});
}

void Hedge::TakeOver() {
  is_taken_over_ = true;
  if (head_) owner_->OnHead(*std::exchange(head_, std::nullopt));
  if (!kept_.empty()) owner_->OnBody(std::exchange(kept_, {}));
}

void Hedge::OnHead(net::CallHead head) {
  if (is_taken_over_) return owner_->OnHead(std::move(head));
  const auto self = shared_from_this();
  head_ = std::move(head);
  if (head_->status != 200) return;
  // A whole answer is all there when its head comes.
  if (!asked_.plan.as_stream) return owner_->OnHedgeToken();
  if (internal::IsEventStream(*head_)) events_.emplace();
}

void Hedge::OnBody(std::string_view piece) {
  if (is_taken_over_) return owner_->OnBody(piece);
  const auto self = shared_from_this();
  kept_ += piece;
  // Before a first token come a head and a few events; who says so much has no first token.
  if (kept_.size() > kMostKeptBytes) {
    return owner_->OnHedgeFailed({FailureCause::kNotUnderstood, "it says much, and no token"});
  }
  switch (Listen(piece)) {
    case Said::kNothing:
      return;
    case Said::kToken:
      return owner_->OnHedgeToken();
    case Said::kError:
      return owner_->OnHedgeFailed(internal::OfStreamError(ledger_.error()));
    case Said::kNonsense:
      return owner_->OnHedgeFailed({FailureCause::kNotUnderstood, "it sent what is no answer"});
  }
}

Hedge::Said Hedge::Listen(std::string_view piece) {
  if (!events_) return Said::kNothing;
  Said said = Said::kNothing;
  std::string unused;
  const auto read = events_->Push(piece, [&](const net::SseEvent& event) {
    if (!event.has_data) return true;
    if (event.data.starts_with("[DONE]")) return false;  // its end will tell
    const Heard heard = ledger_.Take(event.data, unused);
    if (heard == Heard::kTokens) said = Said::kToken;
    if (heard == Heard::kError) said = Said::kError;
    return said == Said::kNothing;
  });
  return read ? said : Said::kNonsense;
}

void Hedge::OnEnd() {
  if (is_taken_over_) return owner_->OnEnd();
  const auto self = shared_from_this();
  const auto call = std::move(asked_.call);
  if (head_ && head_->status != 200) {
    return owner_->OnHedgeFailed(internal::OfStatus(*head_, kept_));
  }
  owner_->OnHedgeFailed({FailureCause::kCutShort, "it ended without a first token"});
}

void Hedge::OnFailure(net::CallFailure failure) {
  if (is_taken_over_) return owner_->OnFailure(std::move(failure));
  const auto self = shared_from_this();
  const auto call = std::move(asked_.call);
  owner_->OnHedgeFailed({internal::OfFailure(failure, false), std::move(failure.error.message)});
}

}  // namespace switchyard::gateway
