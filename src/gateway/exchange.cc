#include "gateway/exchange.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/json.h"
#include "base/random_bits.h"
#include "base/seconds_since.h"

namespace switchyard::gateway {
namespace {

using std::chrono::milliseconds;

// A client that has nothing yet is kept waiting for members that may recover so long at most.
constexpr milliseconds kPatience{10'000};
constexpr milliseconds kFirstWait{200};
// The end of a member's answer comes with its last event, or is no longer awaited.
constexpr milliseconds kFarewell{1'000};

// Who is out of reach for the moment and has not failed this request.
bool MayRecover(const policy::RouteVerdict& verdict) {
  switch (verdict.code) {
    case policy::RouteCode::kUnheard:
    case policy::RouteCode::kLost:
    case policy::RouteCode::kBroken:
    case policy::RouteCode::kBusy:
    case policy::RouteCode::kHeadroom:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool Exchange::Failure::IsSilence() const {
  return cause == FailureCause::kNoFirstToken || cause == FailureCause::kStall;
}

bool Exchange::Failure::IsFinal() const { return IsSilence() || cause == FailureCause::kNotServed; }

void Exchange::Begin(ExchangeContext& context, std::shared_ptr<const ClientRequest> request,
                     access::KeyUse key, std::shared_ptr<net::HttpResponder> responder) {
  const auto exchange =
      std::make_shared<Exchange>(context, std::move(request), std::move(key), std::move(responder));
  exchange->responder_->OnGone([exchange] { exchange->OnGone(); });
  context.fleet.CountRequest();
  exchange->Choose();
}

Exchange::Exchange(ExchangeContext& context, std::shared_ptr<const ClientRequest> request,
                   access::KeyUse key, std::shared_ptr<net::HttpResponder> responder)
    : context_(context),
      request_(std::move(request)),
      responder_(std::move(responder)),
      key_(std::move(key)),
      wishes_(ReadWishes(request_->http)),
      place_(context.live.size()),
      timer_(context.loop.NewTimer()) {
  ledger_ = std::make_unique<AnswerLedger>(request_->endpoint(), request_->outline);
  context_.metrics.Enter();
  context_.live.push_back(this);
}

Exchange::~Exchange() {
  Exchange* const last = context_.live.back();
  last->place_ = place_;
  context_.live[place_] = last;
  context_.live.pop_back();
  context_.metrics.Leave();
}

std::string Exchange::Occasion() const {
  if (failures_.empty() && too_short_tokens_ > 0) return "again where the context is larger";
  if (failures_.empty()) return rounds_ == 0 ? "begin" : "again";
  const std::string_view cause = Name(failures_.back().cause);
  if (!ledger_->has_begun()) return fmt::format("again after {}", cause);
  return fmt::format("hand-over after {} behind {} tokens", cause, ledger_->completion_tokens());
}

policy::RouteRequest Exchange::Wanted(policy::Resumption& resumption) const {
  policy::RouteRequest wanted;
  wanted.model = request_->outline.model;
  wanted.tenant = request_->key_name;
  wanted.prompt_tokens = request_->prompt_tokens() + ledger_->completion_tokens();
  wanted.prefix_text =
      request_->outline.Find(request_->kind == RequestKind::kChat ? "messages" : "prompt");
  wanted.max_tokens = request_->outline.max_tokens.value_or(0);
  wanted.residency = wishes_.residency;
  wanted.regions = wishes_.regions;
  if (origin_ != nullptr && ledger_->has_begun()) {
    resumption.from = &origin_->place;
    wanted.resumption = &resumption;
  }
  return wanted;
}

// Who has failed is not asked, nor is who is being asked.
Routed Exchange::Route(std::string_view occasion) {
  policy::Resumption resumption;
  policy::RouteRequest wanted = Wanted(resumption);
  std::vector<std::string_view> tried;
  for (const auto* some : {&failures_, &hedge_failures_}) {
    for (const Failure& failure : *some) tried.push_back(failure.member);
  }
  if (asked_.call != nullptr) tried.push_back(asked_.config->name);
  wanted.tried = tried;
  Routed routed = context_.fleet.Route(wanted);
  if (context_.decisions != nullptr) {
    if (attempts_ == 0) {
      decisions_ = context_.decisions->Begin(request_->id, occasion, wanted, routed);
    } else {
      context_.decisions->Add(decisions_, occasion, routed);
    }
  }
  config_ = routed.view->config;
  return routed;
}

void Exchange::Choose() {
  const Routed routed = Route(Occasion());
  const std::string_view model = config_->Canonical(request_->outline.model);
  // The best level first, and on it the best member.
  const HandOverLevel levels[] = {HandOverLevel::kTokens, HandOverLevel::kContinue,
                                  HandOverLevel::kRestart};
  bool is_hopeless = !ledger_->is_known_by_tokens() && routed.size() > 0;
  for (const HandOverLevel level : levels) {
    if (level != HandOverLevel::kTokens && IsAllSaid(*request_, *ledger_)) {
      return CompleteByLength();
    }
    for (std::size_t i = 0; i < routed.size(); ++i) {
      const Member& member = routed.member(i);
      const ModelState* const served = member.Model(model);
      if (too_short_tokens_ > 0 &&
          (served == nullptr || served->context_tokens <= too_short_tokens_)) {
        continue;
      }
      const bool may_continue = !refuses_continuation_.contains(member.name());
      const HandOverLevel best = LevelAt(member, *request_, *ledger_, may_continue);
      is_hopeless = is_hopeless && best == HandOverLevel::kNone;
      if (best != level) continue;
      if (const auto offer = Look(routed, i, level)) return Ask(*offer);
    }
  }
  if (too_short_tokens_ > 0 && failures_.empty()) return PassOn(*refusal_);
  // Half a call or a thought of which only the text is known: time does not change that.
  if (is_hopeless) return GiveUp();
  const auto& refusal = routed.decision.refusal;
  if (!refusal || refusal->kind == policy::RefusalKind::kUnavailable) {
    const double hint = refusal ? refusal->retry_after_s : 0;
    return TryAgainLater(milliseconds(static_cast<std::int64_t>(hint * 1000)),
                         std::ranges::any_of(routed.decision.verdicts, MayRecover));
  }
  if (refusal->kind == policy::RefusalKind::kPolicy) return RefuseByPolicy(*refusal);
  if (!failures_.empty()) return GiveUp();
  int status = 400;
  if (refusal->kind == policy::RefusalKind::kNoSuchModel) status = 404;
  Respond({.status = status,
           .message = refusal->message,
           .type = "invalid_request_error",
           .param = status == 404 ? "model" : "",
           .code = refusal->code});
}

// How a member would be asked; nothing if it cannot even be tried.
std::optional<Exchange::Offer> Exchange::Look(const Routed& routed, std::size_t rank,
                                              HandOverLevel level) {
  const Member& member = routed.member(rank);
  const ModelState* const served = member.Model(config_->Canonical(request_->outline.model));
  const auto link = context_.links.Find(*member.config);
  if (served == nullptr || !link) return std::nullopt;
  AskPlan plan{.level = level};
  plan.as_stream = request_->is_completion() &&
                   (request_->outline.stream || CanBeCarriedAsStream(member, *request_));
  plan.from_tokens = level == HandOverLevel::kContinue &&
                     ContinuesFromTokens(member, *served, *request_, *ledger_);
  plan.asks_token_ids = plan.as_stream && (plan.from_tokens || TellsTokens(member, *request_));
  return Offer{member, *served, *link, routed.candidate(rank).cached_tokens, plan};
}

void Exchange::Ask(const Offer& offer) {
  // Where the client has nothing all begins anew, and so does a whole answer with who cannot go on.
  const bool is_anew = !ledger_->has_begun() ||
                       (!request_->outline.stream && offer.plan.level != HandOverLevel::kTokens);
  if (is_anew && attempts_ > 0) BeginAnew();
  if (ledger_->has_begun()) TellMove(offer);
  asked_ = Prepare(offer);
  Send(offer, asked_, shared_from_this());
  Await();
}

// Nothing counts that those before said.
void Exchange::BeginAnew() {
  ledger_ = std::make_unique<AnswerLedger>(request_->endpoint(), request_->outline);
  out_.clear();
}

// It counts from now on.
AskedMember Exchange::Prepare(const Offer& offer) {
  AskedMember asked{.config = offer.member.config,
                    .judged_by = config_,
                    .plan = offer.plan,
                    .context_tokens = offer.model.context_tokens,
                    .at = Clock::now(),
                    .number = ++attempts_};
  if (offer.model.upstream != request_->outline.model) {
    asked.shown_model = base::WriteJson(request_->outline.model);
  }
  context_.metrics.CountAttempt();
  asked.attempt =
      context_.fleet.Begin(offer.member, request_->prompt_tokens(), offer.cached_tokens);
  asked.attempt.OnCut([weak = weak_from_this(), &loop = context_.loop, number = attempts_] {
    loop.Post([weak, number] {
      if (const auto self = weak.lock()) self->OnCut(number);
    });
  });
  return asked;
}

void Exchange::Send(const Offer& offer, AskedMember& asked,
                    std::shared_ptr<net::CallListener> listener) {
  net::CallRequest call = ToMember(request_, offer.member, offer.model, asked.plan, *ledger_);
  call.times.connect = config_->timeouts.connect;
  asked.call = offer.link.client->Send(*offer.link.origin, std::move(call), std::move(listener));
}

// What the one that was asked says comes now.
void Exchange::Await() {
  const AskPlan& plan = asked_.plan;
  ledger_->Begin({.tells_token_ids = plan.asks_token_ids,
                  .shown_model = asked_.shown_model,
                  .repeats = ledger_->has_begun() && plan.level == HandOverLevel::kRestart,
                  .continues = plan.level == HandOverLevel::kContinue,
                  .is_from_tokens = plan.from_tokens});
  head_ = {};
  body_.clear();
  events_.reset();
  is_done_ = false;
  last_token_.reset();
  PlanHedge();
  Watch();
}

void Exchange::TellMove(const Offer& offer) {
  const FailureCause cause = failures_.empty() ? FailureCause::kReset : failures_.back().cause;
  const std::string move =
      fmt::format("level={} from={} to={} tokens={} cause={}", static_cast<int>(offer.plan.level),
                  origin_->name, offer.member.name(), ledger_->completion_tokens(),
                  failures_.empty() ? "" : Name(cause));
  moves_ += (moves_.empty() ? "" : "; ") + move;
  ++move_count_;
  if (is_streaming_) out_ += fmt::format(": handover {}\n\n", move);
  context_.metrics.CountHandOver(offer.plan.level, cause);
}

// All that may be asked have failed, or are out of reach: whoever may recover is waited for.
void Exchange::TryAgainLater(milliseconds hint, bool others_may_recover) {
  const bool has_begun = ledger_->has_begun();
  const milliseconds patience = has_begun ? config_->timeouts.first_token : kPatience;
  const auto waited =
      std::chrono::duration_cast<milliseconds>(Clock::now() - failed_.value_or(request_->arrival));
  const bool is_final = !others_may_recover && !failures_.empty() &&
                        std::ranges::all_of(failures_, &Failure::IsFinal);
  // Nobody was there from the start; the client may do better elsewhere.
  const bool never_asked = attempts_ == 0;
  milliseconds wait = kFirstWait * (1 << std::min(rounds_, 6));
  wait += milliseconds(static_cast<std::int64_t>(base::RandomBits() % 100) * wait.count() / 400);
  if (!has_begun) wait = std::max(wait, hint);
  if (never_asked || is_final || waited + wait > patience) return GiveUp();
  ++rounds_;
  timer_->Start(wait, [self = shared_from_this()] {
    if (self->is_over_) return;
    self->earlier_ = self->failures_;
    std::erase_if(self->failures_, std::not_fn(&Failure::IsFinal));
    self->Choose();
  });
}

void Exchange::Failed(FailureCause cause, std::string why, milliseconds retry_after) {
  Flush();
  asked_.call.reset();  // who is asked no longer need not go on
  timer_->Stop();
  // All was said; only the farewell is missing.
  if (ledger_->is_complete()) return Complete();
  asked_.attempt.Failed(cause, retry_after);
  if (origin_ == nullptr && ledger_->has_begun()) origin_ = asked_.config;
  is_served_ = is_served_ || cause != FailureCause::kNotServed;
  if (has_token()) {
    origin_ = asked_.config;
    ran_on_.push_back(asked_.config->name);
    rounds_ = 0;  // what it said before it failed shows that the next may fare better
  }
  if (failures_.empty() || has_token()) failed_ = Clock::now();
  std::ranges::move(std::exchange(hedge_failures_, {}), std::back_inserter(failures_));
  failures_.push_back({asked_.config->name, cause, std::move(why)});
  if (hedge_ != nullptr) return TakeHedge();
  const bool has_begun = ledger_->has_begun();
  if (attempts_ >= config_->retry.attempts) return GiveUp();
  if (!has_begun && !context_.fleet.MayRetry()) return GiveUp();
  Choose();
}

// An operator has taken the member out.
void Exchange::OnCut(int number) {
  if (is_over_) return;
  const char* const why = "an operator has taken it out";
  if (hedge_ != nullptr && hedge_->asked().number == number) {
    return OnHedgeFailed({FailureCause::kTakenOut, why});
  }
  if (number == asked_.number && asked_.call != nullptr) Failed(FailureCause::kTakenOut, why);
}

// One timer for all: it looks what is due when it fires, so that a token costs nothing.
void Exchange::Watch() {
  const TimeoutConfig& times = config_->timeouts;
  auto due = request_->arrival + times.total;
  if (asked_.plan.as_stream && !is_over_) {
    due = std::min(due, last_heard() + (has_token() ? times.stall : times.first_token));
  }
  if (hedge_due_ && !is_over_) due = std::min(due, *hedge_due_);
  const auto left = std::chrono::ceil<milliseconds>(due - Clock::now());
  timer_->Start(std::max(left, milliseconds(1)), [this] { OnTime(); });
}

void Exchange::OnTime() {
  if (is_over_) return;
  const auto self = shared_from_this();
  const TimeoutConfig& times = config_->timeouts;
  const auto now = Clock::now();
  if (now >= request_->arrival + times.total) {
    failures_.push_back({asked_.config->name, FailureCause::kStall, "the request's time is over"});
    is_served_ = true;
    asked_.attempt.Cancelled();
    asked_.call.reset();
    return GiveUp();
  }
  const milliseconds most = has_token() ? times.stall : times.first_token;
  if (asked_.plan.as_stream && now >= last_heard() + most) {
    return Failed(has_token() ? FailureCause::kStall : FailureCause::kNoFirstToken,
                  fmt::format("no {} came for {} ms", has_token() ? "further token" : "first token",
                              most.count()));
  }
  if (hedge_due_ && now >= *hedge_due_) AskBeside();
  Watch();
}

void Exchange::OnFleet(const FleetView& view) {
  if (is_over_ || asked_.call == nullptr) return;
  const auto self = shared_from_this();
  if (hedge_ != nullptr) WatchHedge(view);
  const Member* const member = view.Find(asked_.config->name);
  if (member != nullptr && MayNoLongerRun(view, *member, asked_)) {
    return Failed(FailureCause::kTakenOut, "policy no longer lets it run there");
  }
  const auto now = Clock::now();
  if (member != nullptr && !member->state->is_lost) {
    reached_ = now;
    return;
  }
  // Who says nothing to anybody is not waited for as long as who is only slow; of a whole answer
  // nothing tells how far it is, so that it is not thrown away for a moment's silence.
  const auto silence = now - (asked_.plan.as_stream ? last_heard() : std::max(asked_.at, reached_));
  const bool is_silent =
      silence > (asked_.plan.as_stream ? config_->watch.timeout : config_->timeouts.stall);
  if (is_silent) Failed(FailureCause::kLost, "it answers nobody");
}

// An operator's word, a rule that is in force from today, or another configuration. Hours of a chip
// that are spent stop what begins, not what runs.
bool Exchange::MayNoLongerRun(const FleetView& view, const Member& member, AskedMember& asked) {
  if (member.is_forbidden || !member.export_rule.empty()) return true;
  if (view.config == std::exchange(asked.judged_by, view.config)) return false;
  policy::Resumption resumption;
  const policy::RouteCode code = Fleet::Judge(view, member, Wanted(resumption)).code;
  return policy::IsPolicy(code) && code != policy::RouteCode::kStock;
}

void Exchange::OnGone() {
  if (is_over_) return;
  asked_.attempt.Cancelled();
  asked_.call.reset();
  Close(499, "client_left");
}

void Exchange::Close(int status, std::string_view error) {
  if (is_over_) return;
  is_over_ = true;
  timer_->Stop();
  EndHedge(HedgeEnd::kDropped);
  if (asked_.call != nullptr) {
    // The connection can be used again once the answer's last bytes are read.
    timer_->Start(kFarewell, [self = shared_from_this()] { self->asked_.call.reset(); });
  }
  key_.Settle(attempts_ > 0, CompletionTokens());
  const double seconds = base::SecondsSince(request_->arrival);
  context_.metrics.CountEnd(status);
  context_.metrics.request_s.Observe(seconds);
  Feel(status);
  if (!context_.log) return;
  std::string members;
  for (const std::string& name : ran_on_) members += (members.empty() ? "" : ",") + name;
  context_.log({.message = "request",
                .fields = {{"id", request_->id},
                           {"path", std::string(request_->http.Path())},
                           {"client", request_->http.peer},
                           {"key", request_->key_name},
                           {"model", request_->outline.model},
                           {"status", std::int64_t{status}},
                           {"error", std::string(error)},
                           {"stream", request_->outline.stream},
                           {"members", std::move(members)},
                           {"attempts", std::int64_t{attempts_}},
                           {"hand_overs", moves_},
                           {"hedge", hedge_told_},
                           {"completion_tokens", CompletionTokens()},
                           {"first_token_s", first_token_s_.value_or(0)},
                           {"total_s", seconds}}});
}

void Exchange::Feel(int status) const {
  if (context_.felt == nullptr) return;
  const auto ms = [](Clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
  };
  Outcome outcome = Outcome::kRefused;
  if (status == 200) outcome = Outcome::kWhole;
  if (status == 499) outcome = Outcome::kCancelled;
  if (status >= 500 && status != 501 && attempts_ > 0) outcome = Outcome::kBroken;
  if (is_streaming_ && status != 200 && status != 499) outcome = Outcome::kBroken;
  context_.felt->Add({.outcome = outcome,
                      .moves = move_count_,
                      .tokens = CompletionTokens(),
                      .first_token_ms = first_token_s_.value_or(0) * 1000,
                      .longest_gap_ms = ms(longest_gap_)},
                     std::chrono::duration<double>(Clock::now().time_since_epoch()).count());
}

}  // namespace switchyard::gateway
