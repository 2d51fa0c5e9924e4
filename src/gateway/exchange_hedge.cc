// Whether and whom an exchange asks beside a member that is slow to begin.
#include <utility>

#include "gateway/exchange.h"

namespace switchyard::gateway {

// Only while the client has nothing: an answer that goes on has one member at a time.
void Exchange::PlanHedge() {
  hedge_due_.reset();
  if (!config_->hedge.is_on || ledger_->has_begun() || hedge_ != nullptr) return;
  const auto delay = context_.fleet.HedgeDelay(request_->outline.model, asked_.plan.as_stream);
  if (delay) hedge_due_ = asked_.at + *delay;
}

std::optional<Exchange::Offer> Exchange::LookBeside(const Routed& routed) {
  for (std::size_t i = 0; i < routed.size(); ++i) {
    const auto offer = Look(routed, i, HandOverLevel::kRestart);
    // What one refused as too long, who has no more room refuses too.
    const bool is_too_short =
        offer && too_short_tokens_ > 0 && offer->model.context_tokens <= too_short_tokens_;
    if (offer && !is_too_short) return offer;
  }
  return std::nullopt;
}

void Exchange::AskBeside() {
  hedge_due_.reset();
  if (attempts_ >= config_->retry.attempts) return;
  const auto waited =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - asked_.at).count();
  const Routed routed = Route(fmt::format("hedge after {} ms without a token", waited));
  if (!config_->hedge.is_on) return;  // any more
  const auto offer = LookBeside(routed);
  if (!offer) return context_.metrics.CountHedge(HedgeEnd::kNobody);
  if (!context_.fleet.MayHedge()) {
    if (context_.decisions != nullptr) {
      context_.decisions->Note(decisions_, "no hedge", asked_.config->name,
                               {"the share of requests that may be hedged is spent"});
    }
    return context_.metrics.CountHedge(HedgeEnd::kNoBudget);
  }
  hedge_told_ =
      fmt::format("from={} to={} after_ms={}", asked_.config->name, offer->member.name(), waited);
  hedge_ = std::make_shared<Hedge>(shared_from_this(), Prepare(*offer),
                                   AnswerLedger(request_->endpoint(), request_->outline));
  Send(*offer, hedge_->asked(), hedge_);
}

// The member that was asked first has said one, or whichever took its place.
void Exchange::HearFirstToken() {
  hedge_due_.reset();
  if (config_->hedge.is_on) {
    context_.fleet.SawFirstToken(request_->outline.model, asked_.plan.as_stream,
                                 Clock::now() - asked_.at);
  }
  EndHedge(HedgeEnd::kLost);
}

void Exchange::OnHedgeToken() {
  if (is_over_ || hedge_ == nullptr) return;
  // It took at least that long.
  context_.fleet.SawFirstToken(request_->outline.model, asked_.plan.as_stream,
                               Clock::now() - asked_.at);
  asked_.attempt.Cancelled();
  TakeHedge();
}

// The second takes the place of the first, which has ended.
void Exchange::TakeHedge() {
  const auto hedge = std::exchange(hedge_, nullptr);
  const std::string first = std::exchange(asked_, std::move(hedge->asked())).config->name;
  hedge_told_ += " by=" + asked_.config->name;
  context_.metrics.CountHedge(HedgeEnd::kWon);
  if (context_.decisions != nullptr) {
    context_.decisions->Note(
        decisions_, "hedge", asked_.config->name,
        {fmt::format("{} is listened to instead of {}", asked_.config->name, first)});
  }
  BeginAnew();
  Await();
  hedge->TakeOver();
}

void Exchange::OnHedgeFailed(internal::MemberVerdict verdict) {
  if (is_over_ || hedge_ == nullptr) return;
  AskedMember& asked = hedge_->asked();
  if (verdict.cause) {
    asked.attempt.Failed(*verdict.cause, verdict.retry_after);
    is_served_ = is_served_ || verdict.cause != FailureCause::kNotServed;
    hedge_failures_.push_back({asked.config->name, *verdict.cause, std::move(verdict.why)});
  }
  EndHedge(HedgeEnd::kFailed);
}

void Exchange::EndHedge(HedgeEnd end) {
  if (hedge_ == nullptr) return;
  const auto hedge = std::exchange(hedge_, nullptr);
  AskedMember& asked = hedge->asked();
  asked.attempt.Cancelled();  // unless it has failed
  asked.call.reset();
  context_.metrics.CountHedge(end);
  if (end == HedgeEnd::kDropped) return;
  hedge_told_ += " by=" + asked_.config->name;
  if (context_.decisions == nullptr) return;
  const std::string_view what = end == HedgeEnd::kLost ? "was slower" : "failed";
  context_.decisions->Note(decisions_, "hedge", asked_.config->name,
                           {fmt::format("{} {}", asked.config->name, what)});
}

// Whatever holds for the first holds for the second.
void Exchange::WatchHedge(const FleetView& view) {
  AskedMember& asked = hedge_->asked();
  const Member* const member = view.Find(asked.config->name);
  if (member == nullptr || member->state->is_lost) {
    return OnHedgeFailed({FailureCause::kLost, "it answers nobody"});
  }
  if (MayNoLongerRun(view, *member, asked)) {
    OnHedgeFailed({FailureCause::kTakenOut, "policy no longer lets it run there"});
  }
}

}  // namespace switchyard::gateway
