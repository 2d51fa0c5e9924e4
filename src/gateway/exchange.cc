#include "gateway/exchange.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/json.h"
#include "base/random_bits.h"
#include "gateway/internal/context_refusal.h"
#include "protocol/json_items.h"

namespace switchyard::gateway {
namespace {

using std::chrono::milliseconds;

// Of an answer that is no stream; embeddings of a long list are the largest.
constexpr std::size_t kMostBodyBytes = 256 << 20;
// A client that has nothing yet is kept waiting for members that may recover so long at most.
constexpr milliseconds kPatience{10'000};
constexpr milliseconds kFirstWait{200};
// The end of a member's answer comes with its last event, or is no longer awaited.
constexpr milliseconds kFarewell{1'000};

milliseconds RetryAfter(const net::CallHead& head) {
  double value = 0;
  const auto read = [&](std::string_view text) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && value >= 0 && value < 1e6;
  };
  if (read(head.Header("retry-after-ms"))) return milliseconds(static_cast<std::int64_t>(value));
  if (read(head.Header("retry-after"))) {
    return milliseconds(static_cast<std::int64_t>(value * 1000));
  }
  return {};
}

// Whether another member, or this one later, may answer what this one did not. A request that is
// wrong, or that a member's own rules refuse, is so everywhere.
bool MayPass(int status) {
  return status >= 500 || status == 401 || status == 403 || status == 404 || status == 408 ||
         status == 425 || status == 429;
}

// Waiting did not help; another member is asked, never this one again.
bool IsSilence(FailureCause cause) {
  return cause == FailureCause::kNoFirstToken || cause == FailureCause::kStall;
}

FailureCause CauseOf(const net::CallFailure& failure, bool has_token) {
  if (failure.is_timeout && failure.stage != net::CallFailure::Stage::kConnect) {
    return has_token ? FailureCause::kStall : FailureCause::kNoFirstToken;
  }
  return failure.stage == net::CallFailure::Stage::kConnect ? FailureCause::kRefused
                                                            : FailureCause::kReset;
}

}  // namespace

void Exchange::Begin(ExchangeContext& context, std::shared_ptr<const ClientRequest> request,
                     access::KeyUse key, std::shared_ptr<net::HttpResponder> responder) {
  const auto exchange = std::make_shared<Exchange>(context, std::move(request), std::move(key),
                                                   std::move(responder));
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
      timer_(context.loop.NewTimer()),
      failed_(request_->arrival) {
  ledger_.emplace(request_->endpoint(), request_->outline);
  context_.metrics.Enter();
  context_.live.insert(this);
}

Exchange::~Exchange() {
  context_.live.erase(this);
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

void Exchange::Choose() {
  policy::Resumption resumption;
  policy::RouteRequest wanted = Wanted(resumption);
  std::vector<std::string_view> tried;
  for (const Failure& failure : failures_) tried.push_back(failure.member);
  wanted.tried = tried;
  const Routed routed = context_.fleet.Route(wanted);
  if (context_.decisions != nullptr) {
    context_.decisions->Add(request_->id, Occasion(), wanted, routed);
  }
  config_ = judged_by_ = routed.view->config;
  const std::string_view model = config_->Canonical(request_->outline.model);
  // The best level first, and on it the best member.
  const HandOverLevel levels[] = {HandOverLevel::kTokens, HandOverLevel::kContinue,
                                  HandOverLevel::kRestart};
  bool is_hopeless = !ledger_->is_known_by_tokens() && routed.size() > 0;
  for (const HandOverLevel level : levels) {
    for (std::size_t i = 0; i < routed.size(); ++i) {
      const ModelState* const served = routed.member(i).Model(model);
      if (too_short_tokens_ > 0 &&
          (served == nullptr || served->context_tokens <= too_short_tokens_)) {
        continue;
      }
      const bool may_continue = !refuses_continuation_.contains(routed.member(i).name());
      plan_.level = LevelAt(routed.member(i), *request_, *ledger_, may_continue);
      is_hopeless = is_hopeless && plan_.level == HandOverLevel::kNone;
      if (plan_.level == level && Ask(routed.member(i), model, routed.candidate(i).cached_tokens)) {
        return;
      }
    }
  }
  if (too_short_tokens_ > 0 && failures_.empty()) return PassOn(*refusal_);
  // Half a call or a thought of which only the text is known: time does not change that.
  if (is_hopeless) return GiveUp();
  const auto& refusal = routed.decision.refusal;
  if (!refusal || refusal->kind == policy::RefusalKind::kUnavailable) {
    const double hint = refusal ? refusal->retry_after_s : 0;
    return TryAgainLater(milliseconds(static_cast<std::int64_t>(hint * 1000)));
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

// False if it cannot even be tried.
bool Exchange::Ask(const Member& member, std::string_view model, std::int64_t cached_tokens) {
  const ModelState* const served = member.Model(model);
  const auto link = context_.links.Find(*member.config);
  if (served == nullptr || !link) return false;
  plan_.as_stream = request_->is_completion() &&
                    (request_->outline.stream || CanBeCarriedAsStream(member, *request_));
  plan_.from_tokens = plan_.level == HandOverLevel::kContinue &&
                      ContinuesFromTokens(member, *served, *request_, *ledger_);
  plan_.asks_token_ids =
      plan_.as_stream && (plan_.from_tokens || TellsTokens(member, *request_));
  // A whole answer of which the client has nothing is begun anew by who cannot go on with it.
  if (!request_->outline.stream && plan_.level != HandOverLevel::kTokens) {
    plan_.level = HandOverLevel::kRestart;
    ledger_.emplace(request_->endpoint(), request_->outline);
  }
  shown_model_.clear();
  if (served->upstream != request_->outline.model) {
    shown_model_ = base::Json(request_->outline.model).dump();
  }
  if (ledger_->has_begun()) {
    const std::string move =
        fmt::format("level={} from={} to={} tokens={} cause={}", static_cast<int>(plan_.level),
                    origin_->name, member.config->name, ledger_->completion_tokens(),
                    failures_.empty() ? "" : Name(failures_.back().cause));
    moves_ += (moves_.empty() ? "" : "; ") + move;
    ++move_count_;
    if (is_streaming_) out_ += fmt::format(": handover {}\n\n", move);
    context_.metrics.CountHandOver(
        plan_.level, failures_.empty() ? FailureCause::kReset : failures_.back().cause);
  }
  net::CallRequest call = ToMember(request_, member, *served, plan_, *ledger_);
  call.times.connect = config_->timeouts.connect;
  ledger_->Begin({.tells_token_ids = plan_.asks_token_ids,
                  .shown_model = shown_model_,
                  .repeats = ledger_->has_begun() && plan_.level == HandOverLevel::kRestart,
                  .continues = plan_.level == HandOverLevel::kContinue,
                  .is_from_tokens = plan_.from_tokens});
  member_ = member.config;
  context_tokens_ = served->context_tokens;
  head_ = {};
  body_.clear();
  events_.reset();
  is_done_ = false;
  ++attempts_;
  context_.metrics.CountAttempt();
  asked_ = last_token_ = Clock::now();
  attempt_ = context_.fleet.Begin(member, request_->prompt_tokens(), cached_tokens);
  attempt_.OnCut([weak = weak_from_this(), &loop = context_.loop, attempt = attempts_] {
    loop.Post([weak, attempt] {
      if (const auto self = weak.lock()) self->OnCut(attempt);
    });
  });
  call_ = link->client->Send(*link->origin, std::move(call), shared_from_this());
  Watch();
  return true;
}

// All that may be asked have failed, or are out of reach: whoever may recover is waited for.
void Exchange::TryAgainLater(milliseconds hint) {
  const bool has_begun = ledger_->has_begun();
  const milliseconds patience = has_begun ? config_->timeouts.first_token : kPatience;
  const auto waited = std::chrono::duration_cast<milliseconds>(Clock::now() - failed_);
  const bool all_silent =
      !failures_.empty() && std::ranges::all_of(failures_, [](const Failure& failure) {
        return IsSilence(failure.cause);
      });
  // Nobody was there from the start; the client may do better elsewhere.
  const bool never_asked = attempts_ == 0;
  milliseconds wait = kFirstWait * (1 << std::min(rounds_, 6));
  wait += milliseconds(static_cast<std::int64_t>(base::RandomBits() % 100) * wait.count() / 400);
  if (!has_begun) wait = std::max(wait, hint);
  if (never_asked || all_silent || waited + wait > patience) return GiveUp();
  ++rounds_;
  timer_->Start(wait, [self = shared_from_this()] {
    if (self->is_over_) return;
    self->earlier_ = self->failures_;
    std::erase_if(self->failures_,
                  [](const Failure& failure) { return !IsSilence(failure.cause); });
    self->Choose();
  });
}

void Exchange::OnHead(net::CallHead head) {
  head_ = std::move(head);
  const bool is_events = head_.Header("content-type").starts_with("text/event-stream");
  if (head_.status == 200 && is_events && plan_.as_stream) {
    events_ = std::make_unique<net::SseReader>();
  }
  // A whole answer is all there when its head comes.
  if (head_.status == 200 && !plan_.as_stream) attempt_.FirstToken();
}

void Exchange::OnBody(std::string_view piece) {
  if (is_over_) return;
  if (!events_) {
    body_ += piece;
    if (body_.size() <= kMostBodyBytes) return;
    return Failed(FailureCause::kNotUnderstood, "its answer is larger than any should be");
  }
  const auto self = shared_from_this();
  const int attempt = attempts_;
  auto events = std::move(events_);
  const auto read = events->Push(piece, [this](const auto& event) { return OnEvent(event); });
  // An event may have ended this attempt, and another one may have begun.
  if (is_over_ || call_ == nullptr || attempts_ != attempt) return;
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
      if (plan_.asks_token_ids) {
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
  last_token_ = now;
  attempt_.FirstToken();
}

void Exchange::OnErrorInStream() {
  Flush();
  std::string code;
  std::string type;
  std::string message = "an error";
  for (protocol::JsonItems items(ledger_->error()); items.Next();) {
    if (items.key() == "code") code = items.value();
    if (items.key() == "type") type = items.value();
    if (items.key() == "message") message = protocol::JsonString(items.value()).value_or("");
  }
  if (code == "\"switchyard_hand_back\"") {
    return Failed(FailureCause::kHandBack, "it is being drained");
  }
  // The request's own fault shows only now, where engines begin a stream before they read it.
  const bool is_clients = type == "\"invalid_request_error\"" || code == "400";
  if (is_clients && !ledger_->has_begun()) {
    attempt_.Cancelled();
    return Refused({.head = {.status = 400, .headers = {}},
                    .body = fmt::format("{{\"error\":{}}}", ledger_->error())});
  }
  Failed(FailureCause::kServerError, std::move(message));
}

void Exchange::OnEnd() {
  const std::unique_ptr<net::HttpCall> call = std::move(call_);
  if (is_over_) return timer_->Stop();
  if (head_.status != 200) return OnStatus();
  if (!events_) return OnWholeBody();
  if (ledger_->is_complete()) return Complete();
  Failed(FailureCause::kCutShort, "it ended its answer without a finish_reason");
}

void Exchange::OnWholeBody() {
  const bool is_json = body_.find_first_not_of(" \t\r\n") != std::string::npos &&
                       body_[body_.find_first_not_of(" \t\r\n")] == '{';
  if (plan_.as_stream || !is_json) {
    return Failed(FailureCause::kNotUnderstood, "its answer is not of the form that was asked for");
  }
  CompleteAsItCame();
}

void Exchange::OnStatus() {
  const milliseconds wait = RetryAfter(head_);
  const int status = head_.status;
  if (!MayPass(status) && status >= 400) {
    attempt_.Cancelled();  // it works; the request does not
    const bool has_continued = ledger_->has_begun() && plan_.level == HandOverLevel::kContinue;
    if (has_continued && attempts_ < config_->retry.attempts) {
      refuses_continuation_.insert(member_->name);  // and may begin anew all the same
      timer_->Stop();
      return Choose();
    }
    if (ledger_->has_begun()) {
      return Failed(FailureCause::kNotUnderstood,
                    fmt::format("it refused to go on, with HTTP {}", status));
    }
    return Refused({std::move(head_), std::move(body_)});
  }
  const bool hands_back = body_.find("\"switchyard_hand_back\"") != std::string::npos;
  std::string why = fmt::format("it answered HTTP {}", status);
  if (status >= 400 && !hands_back) refusal_ = Refusal{std::move(head_), std::move(body_)};
  if (hands_back) return Failed(FailureCause::kHandBack, "it is being drained");
  const bool is_busy = status == 429 || (status == 503 && wait.count() > 0);
  Failed(is_busy ? FailureCause::kOverloaded : FailureCause::kServerError, std::move(why), wait);
}

// The request is wrong, everywhere alike; unless it is only too long, and somebody has more room.
void Exchange::Refused(Refusal refusal) {
  const auto view = context_.fleet.snapshot();
  const std::string_view name = view->config->Canonical(request_->outline.model);
  const bool is_larger_known =
      context_tokens_ > 0 && internal::IsTooLongForContext(refusal.body) &&
      std::ranges::any_of(view->members, [&](const Member& member) {
        const ModelState* const model = member.Model(name);
        return model != nullptr && model->context_tokens > context_tokens_;
      });
  if (!is_larger_known || attempts_ >= config_->retry.attempts || !context_.fleet.MayRetry()) {
    return PassOn(refusal);
  }
  call_.reset();
  timer_->Stop();
  too_short_tokens_ = context_tokens_;
  refusal_ = std::move(refusal);
  Choose();
}

void Exchange::OnFailure(net::CallFailure failure) {
  const std::unique_ptr<net::HttpCall> call = std::move(call_);
  if (is_over_) return timer_->Stop();
  Failed(CauseOf(failure, last_token_ != asked_), std::move(failure.error.message));
}

void Exchange::Failed(FailureCause cause, std::string why, milliseconds retry_after) {
  Flush();
  call_.reset();  // who is asked no longer need not go on
  timer_->Stop();
  // All was said; only the farewell is missing.
  if (ledger_->is_complete()) return Complete();
  attempt_.Failed(cause, retry_after);
  if (member_->kind == MemberKind::kOpenAi && IsAllSaid(*request_, *ledger_)) {
    ledger_->EndByLength(out_);
    return Complete();
  }
  if (last_token_ != asked_) {
    origin_ = member_;
    ran_on_.push_back(member_->name);
  }
  if (failures_.empty() || last_token_ != asked_) failed_ = Clock::now();
  // What it said before it failed shows that the next may fare better.
  if (last_token_ != asked_) rounds_ = 0;
  failures_.push_back({member_->name, cause, std::move(why)});
  const bool has_begun = ledger_->has_begun();
  if (attempts_ >= config_->retry.attempts) return GiveUp();
  if (!has_begun && !context_.fleet.MayRetry()) return GiveUp();
  Choose();
}

// An operator has taken the member out.
void Exchange::OnCut(int attempt) {
  if (is_over_ || attempt != attempts_ || call_ == nullptr) return;
  Failed(FailureCause::kTakenOut, "an operator has taken it out");
}

// One timer for all: it looks what is due when it fires, so that a token costs nothing.
void Exchange::Watch() {
  const TimeoutConfig& times = config_->timeouts;
  auto due = request_->arrival + times.total;
  if (plan_.as_stream && !is_over_) {
    const bool has_token = last_token_ != asked_;
    due = std::min(due, last_token_ + (has_token ? times.stall : times.first_token));
  }
  const auto left = std::chrono::ceil<milliseconds>(due - Clock::now());
  timer_->Start(std::max(left, milliseconds(1)), [this] { OnTime(); });
}

void Exchange::OnTime() {
  if (is_over_) return;
  const auto self = shared_from_this();
  const TimeoutConfig& times = config_->timeouts;
  const auto now = Clock::now();
  if (now >= request_->arrival + times.total) {
    failures_.push_back({member_->name, FailureCause::kStall, "the request's time is over"});
    attempt_.Cancelled();
    call_.reset();
    return GiveUp();
  }
  const bool has_token = last_token_ != asked_;
  const milliseconds most = has_token ? times.stall : times.first_token;
  if (plan_.as_stream && now >= last_token_ + most) {
    return Failed(has_token ? FailureCause::kStall : FailureCause::kNoFirstToken,
                  fmt::format("no {} came for {} ms", has_token ? "further token" : "first token",
                              most.count()));
  }
  Watch();
}

void Exchange::OnFleet(const FleetView& view) {
  if (is_over_ || call_ == nullptr) return;
  const auto self = shared_from_this();
  const Member* const member = view.Find(member_->name);
  if (member != nullptr && MayNoLongerRun(view, *member)) {
    return Failed(FailureCause::kTakenOut, "policy no longer lets it run there");
  }
  const auto now = Clock::now();
  if (member != nullptr && !member->state->is_lost) {
    reached_ = now;
    return;
  }
  // Who says nothing to anybody is not waited for as long as who is only slow; of a whole answer
  // nothing tells how far it is, so that it is not thrown away for a moment's silence.
  const auto silence = now - (plan_.as_stream ? last_token_ : std::max(asked_, reached_));
  const bool is_silent =
      silence > (plan_.as_stream ? config_->watch.timeout : config_->timeouts.stall);
  if (is_silent) Failed(FailureCause::kStall, "it is lost");
}

// An operator's word, a rule that is in force from today, or another configuration. Hours of a chip
// that are spent stop what begins, not what runs.
bool Exchange::MayNoLongerRun(const FleetView& view, const Member& member) {
  if (member.is_forbidden || !member.export_rule.empty()) return true;
  if (view.config == std::exchange(judged_by_, view.config)) return false;
  policy::Resumption resumption;
  const policy::RouteCode code = Fleet::Judge(view, member, Wanted(resumption)).code;
  return policy::IsPolicy(code) && code != policy::RouteCode::kStock;
}

void Exchange::OnGone() {
  if (is_over_) return;
  attempt_.Cancelled();
  call_.reset();
  Close(499, "client_left");
}

void Exchange::Close(int status, std::string_view error) {
  if (is_over_) return;
  is_over_ = true;
  timer_->Stop();
  if (call_ != nullptr) {
    // The connection can be used again once the answer's last bytes are read.
    timer_->Start(kFarewell, [self = shared_from_this()] { self->call_.reset(); });
  }
  key_.Settle(attempts_ > 0, ledger_->completion_tokens());
  const double seconds = std::chrono::duration<double>(Clock::now() - request_->arrival).count();
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
                           {"completion_tokens", ledger_->completion_tokens()},
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
  if (status >= 500 && attempts_ > 0) outcome = Outcome::kBroken;
  if (is_streaming_ && status != 200 && status != 499) outcome = Outcome::kBroken;
  context_.felt->Add({.outcome = outcome,
                      .moves = move_count_,
                      .tokens = ledger_->completion_tokens(),
                      .first_token_ms = first_token_s_.value_or(0) * 1000,
                      .longest_gap_ms = ms(longest_gap_)},
                     std::chrono::duration<double>(Clock::now().time_since_epoch()).count());
}

}  // namespace switchyard::gateway
