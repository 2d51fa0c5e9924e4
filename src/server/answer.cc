#include "server/answer.h"

#include <algorithm>
#include <utility>

#include "access/error_response.h"
#include "base/random_bits.h"
#include "protocol/member_response.h"
#include "server/best_answers.h"

namespace switchyard::server {
namespace {

using std::chrono::steady_clock;

double Seconds(steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// nginx's status for a client that went before its answer.
constexpr int kClientGone = 499;

protocol::ApiError GivenUp() {
  return protocol::ToApiError({base::ErrorCode::kUnavailable,
                               "the server stops or is drained and gives up what is unfinished; "
                               "ask again, elsewhere or later"});
}

// Of one request, so many are with the engine at once; a long list of texts to embed leaves room in
// its queue.
constexpr std::size_t kAtOnce = 128;

}  // namespace

// What the engine talks to. It only carries over to the connection's sequence.
class Answer::Listener final : public engine::CompletionListener {
 public:
  Listener(std::shared_ptr<Answer> answer, std::size_t index)
      : answer_(std::move(answer)), index_(index) {}

  void OnBegin() override {
    answer_->responder_->Post([answer = answer_] { answer->has_begun_ = true; });
  }
  void OnResumed(const std::string& text) override {
    answer_->responder_->Post(
        [answer = answer_, index = index_, text] { answer->OnResumed(index, text); });
  }
  void OnDelta(const engine::CompletionDelta& delta) override {
    answer_->responder_->Post(
        [answer = answer_, index = index_, delta] { answer->OnDelta(index, delta); });
  }
  void OnEnd(const engine::CompletionSummary& summary) override {
    answer_->responder_->Post(
        [answer = answer_, index = index_, summary] { answer->OnEnd(index, summary); });
  }

 private:
  std::shared_ptr<Answer> answer_;  // with the connection and the other listeners
  std::size_t index_;
};

void Answer::Begin(std::shared_ptr<ServerState> state,
                   std::shared_ptr<net::HttpResponder> responder, AnswerPlan plan) {
  net::HttpResponder& sequence = *responder;
  const auto answer =
      std::make_shared<Answer>(std::move(state), std::move(responder), std::move(plan));
  sequence.Post([answer] { answer->Start(); });
}

Answer::Answer(std::shared_ptr<ServerState> state, std::shared_ptr<net::HttpResponder> responder,
               AnswerPlan plan)
    : state_(std::move(state)), responder_(std::move(responder)), plan_(std::move(plan)) {
  ++state_->in_flight;
}

Answer::~Answer() { Close(kClientGone); }

void Answer::Start() {
  responder_->OnGone([self = shared_from_this()] { self->OnGone(); });
  choices_.resize(plan_.requests.size());
  is_prompt_told_.resize(plan_.member.prompts.size());
  state_->live.Add(shared_from_this());
  if (IsTimeToGiveBack()) return GiveBack();
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Progress& progress = choices_[i];
    progress.choice.index = static_cast<std::int32_t>(i);
    if (plan_.logprobs && !plan_.stream) progress.choice.logprobs.emplace();
    if (plan_.head.endpoint == protocol::Endpoint::kChat) {
      progress.writer = std::make_unique<protocol::ChoiceWriter>(plan_.form, base::RandomBits);
    }
    if (plan_.member.token_ids && !plan_.stream) progress.choice.token_ids.emplace();
    if (plan_.member.is_resumed) Resume(progress, plan_.requests[i]);
    if (!plan_.stream && !progress.is_opened) progress.choice.text = EchoOf(progress);
  }
  for (std::size_t i = 0; i < std::min(kAtOnce, choices_.size()); ++i) {
    if (!SubmitNext()) return;
  }
  if (ended_ == choices_.size()) return Finish();
  last_written_ = plan_.arrival;
  Watch();
}

bool Answer::SubmitNext() {
  while (submitted_ < choices_.size() && choices_[submitted_].is_ended) ++submitted_;
  if (submitted_ == choices_.size()) return true;
  const std::size_t i = submitted_++;
  auto id = state_->service.Submit(std::move(plan_.requests[i]),
                                   std::make_shared<Listener>(shared_from_this(), i));
  if (!id) {
    Fail(protocol::ToApiError(id.error()));
    return false;
  }
  choices_[i].id = *id;
  choices_[i].is_submitted = true;
  return true;
}

bool Answer::IsTimeToGiveBack() const {
  const auto time = state_->drain.phase().give_back;
  return time && *time <= Clock::now();
}

void Answer::Watch() {
  const RequestTimes& times = state_->options.times;
  auto tick = std::chrono::milliseconds::max();
  for (const auto time : {times.request, times.queue, times.heartbeat}) {
    if (time.count() > 0) tick = std::min({tick, time, std::chrono::milliseconds(1000)});
  }
  if (const auto time = state_->drain.phase().give_back) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*time - Clock::now());
    tick = std::min(tick, std::max(left, std::chrono::milliseconds(1)));
  }
  if (tick == std::chrono::milliseconds::max()) return;
  responder_->After(tick, [weak = weak_from_this()] {
    if (const auto answer = weak.lock()) answer->OnTick();
  });
}

void Answer::OnTick() {
  if (is_over_) return;
  if (IsTimeToGiveBack()) return GiveBack();
  const RequestTimes& times = state_->options.times;
  const auto now = Clock::now();
  const auto waited = now - plan_.arrival;
  if (times.request.count() > 0 && waited >= times.request) {
    return Fail(protocol::ToApiError(
        {base::ErrorCode::kDeadlineExceeded,
         fmt::format("the request took more than the {:g} s that this server gives to one; ask for "
                     "fewer tokens",
                     Seconds(times.request))}));
  }
  if (times.queue.count() > 0 && waited >= times.queue && !has_begun_) {
    return Fail(protocol::ToApiError(
        {base::ErrorCode::kUnavailable,
         fmt::format("the request waited {:g} s and no place came free; try again later",
                     Seconds(times.queue))}));
  }
  if (times.heartbeat.count() > 0 && plan_.stream && now - last_written_ >= times.heartbeat) {
    // What goes wrong from here on can be told only in the stream.
    BeginStream();
    responder_->Write(": keep-alive\n\n");
    last_written_ = now;
  }
  Watch();
}

void Answer::Resume(Progress& progress, const engine::CompletionRequest& request) {
  const auto index = static_cast<std::size_t>(progress.choice.index);
  progress.given = request.resumed;
  progress.resumed_tokens = std::ssize(request.resumed);
  progress.is_opened = plan_.member.is_begun[index];
  if (plan_.logprobs) {
    std::string bytes;
    for (const engine::TokenId token : request.resumed) bytes += state_->text.TokenBytes(token);
    progress.choice.text_offset = protocol::CharacterCount(bytes);
  }
  if (!plan_.member.is_finished[index]) return;
  progress.is_ended = true;
  ++ended_;
}

// What reads the answer must know how it began.
void Answer::OnResumed(std::size_t index, const std::string& text) {
  if (choices_[index].writer) choices_[index].writer->Resume(text);
}

void Answer::OnDelta(std::size_t index, const engine::CompletionDelta& delta) {
  if (is_over_) return;
  Progress& progress = choices_[index];
  CountTokens(progress, delta.tokens.size());
  for (const engine::CompletionToken& token : delta.tokens) {
    if (token.logprob) progress.logprob_sum += static_cast<double>(token.logprob->logprob);
  }
  std::vector<protocol::TokenLogprobs> logprobs;
  if (plan_.logprobs) logprobs = Logprobs(delta);
  std::vector<engine::TokenId> ids;
  if (plan_.member.speaks()) {
    for (const engine::CompletionToken& token : delta.tokens) ids.push_back(token.token);
    progress.given.insert(progress.given.end(), ids.begin(), ids.end());
  }
  if (!plan_.member.token_ids) ids.clear();
  if (!plan_.stream) {
    if (progress.writer) {
      progress.writer->Collect(delta.text, progress.choice);
    } else {
      progress.choice.text += delta.text;
    }
    if (plan_.member.token_ids) {
      progress.choice.token_ids->insert(progress.choice.token_ids->end(), ids.begin(), ids.end());
    }
    if (plan_.logprobs) {
      auto& all = *progress.choice.logprobs;
      std::ranges::move(logprobs, std::back_inserter(all));
    }
    return;
  }
  OpenStream(progress);
  std::vector<protocol::Choice> parts;
  if (progress.writer) {
    parts = progress.writer->Stream(delta.text);
  } else if (!delta.text.empty()) {
    parts.push_back({.text = delta.text});
  }
  WriteParts(progress, std::move(parts), std::move(logprobs), std::move(ids));
}

// One event a part, if need be one for the logprobs and token ids alone. The ids go with the last:
// whoever has them has all that their tokens say, also where the connection breaks in between.
void Answer::WriteParts(Progress& progress, std::vector<protocol::Choice> parts,
                        std::vector<protocol::TokenLogprobs> logprobs,
                        std::vector<engine::TokenId> ids) {
  if (parts.empty() && (!logprobs.empty() || !ids.empty())) parts.emplace_back();
  if (!parts.empty()) last_written_ = Clock::now();
  for (protocol::Choice& part : parts) {
    part.index = progress.choice.index;
    part.text_offset = progress.choice.text_offset;
    progress.choice.text_offset += protocol::CharacterCount(logprobs);
    if (plan_.logprobs) part.logprobs = std::exchange(logprobs, {});
    if (plan_.member.token_ids && &part == &parts.back()) part.token_ids = std::exchange(ids, {});
    responder_->Write(protocol::PartEvent(plan_.head, part));
  }
}

protocol::Finish Answer::EndChoice(Progress& progress, bool is_cut) {
  if (!progress.writer) return is_cut ? protocol::Finish::kLength : protocol::Finish::kStop;
  if (plan_.stream) {
    WriteParts(progress, progress.writer->EndStream(is_cut), {}, {});
  } else {
    progress.writer->EndCollect(is_cut, progress.choice);
  }
  return progress.writer->FinishOf(is_cut);
}

void Answer::OnEnd(std::size_t index, const engine::CompletionSummary& summary) {
  if (is_over_) return;
  Progress& progress = choices_[index];
  progress.is_ended = true;
  progress.summary = summary;
  ++ended_;
  if (summary.end == engine::CompletionEnd::kFailed) {
    return Fail(protocol::ToApiError(summary.error));
  }
  if (summary.end == engine::CompletionEnd::kCancelled) {
    return Fail(GivenUp());
  }
  if (plan_.stream) OpenStream(progress);
  const auto finish = EndChoice(progress, summary.end == engine::CompletionEnd::kLength);
  progress.choice.finish = finish;
  Observe(progress, finish);
  if (plan_.stream) {
    responder_->Write(protocol::PartEvent(
        plan_.head, {.index = progress.choice.index, .text = "", .finish = finish}));
  }
  if (SubmitNext() && ended_ == choices_.size()) Finish();
}

std::string_view Answer::EchoOf(const Progress& progress) const {
  if (plan_.echoes.empty()) return {};
  return plan_.echoes[static_cast<std::size_t>(progress.choice.index) / plan_.choices_by_prompt];
}

void Answer::BeginStream() {
  if (is_streaming_) return;
  is_streaming_ = true;
  net::HttpHeaders headers = Headers();
  headers.emplace_back("Cache-Control", "no-cache");
  headers.emplace_back("X-Accel-Buffering", "no");
  responder_->BeginStream(
      {.content_type = "text/event-stream; charset=utf-8", .headers = std::move(headers)});
}

void Answer::OpenStream(Progress& progress) {
  BeginStream();
  if (progress.is_opened) return;
  progress.is_opened = true;
  protocol::Choice opening{.index = progress.choice.index};
  const std::size_t prompt = static_cast<std::size_t>(opening.index) / plan_.choices_by_prompt;
  if (plan_.member.token_ids && !(plan_.member.prompt_ids_once && is_prompt_told_[prompt])) {
    opening.prompt_token_ids = plan_.member.prompts[prompt];
    is_prompt_told_[prompt] = true;
  }
  const std::string event = protocol::OpeningEvent(plan_.head, opening);
  if (!event.empty()) responder_->Write(event);
  if (const std::string_view echo = EchoOf(progress); !echo.empty()) {
    responder_->Write(protocol::PartEvent(
        plan_.head, {.index = progress.choice.index, .text = std::string(echo)}));
  }
}

void Answer::CountTokens(Progress& progress, std::size_t tokens) {
  if (tokens == 0) return;
  const auto now = Clock::now();
  if (progress.tokens == 0) {
    progress.first_token = now;
    const double waited = Seconds(now - plan_.arrival);
    state_->metrics.time_to_first_token_s.Observe(waited);
    if (plan_.line.first_token_s == 0) plan_.line.first_token_s = waited;
  } else {
    state_->metrics.inter_token_latency_s.Observe(Seconds(now - progress.last_token));
  }
  progress.last_token = now;
  progress.tokens += static_cast<std::int64_t>(tokens);
}

void Answer::Observe(const Progress& progress, protocol::Finish finish) {
  Metrics& metrics = state_->metrics;
  const engine::CompletionSummary& summary = progress.summary;
  metrics.CountEnd(finish == protocol::Finish::kLength ? Outcome::kLength : Outcome::kStop);
  metrics.e2e_latency_s.Observe(Seconds(Clock::now() - plan_.arrival));
  metrics.queue_time_s.Observe(summary.queued_s);
  metrics.prefill_time_s.Observe(summary.prefill_s);
  metrics.decode_time_s.Observe(summary.decode_s);
  metrics.inference_time_s.Observe(summary.prefill_s + summary.decode_s);
  metrics.prompt_tokens.Observe(static_cast<double>(summary.prompt_tokens));
  metrics.generation_tokens.Observe(static_cast<double>(summary.completion_tokens));
  if (progress.tokens > 1) {
    metrics.time_per_output_token_s.Observe(Seconds(progress.last_token - progress.first_token) /
                                            static_cast<double>(progress.tokens - 1));
  }
}

std::vector<protocol::TokenLogprobs> Answer::Logprobs(const engine::CompletionDelta& delta) const {
  std::vector<protocol::TokenLogprobs> all;
  for (const engine::CompletionToken& token : delta.tokens) {
    if (!token.logprob) continue;
    protocol::TokenLogprobs entry;
    entry.token = {state_->text.TokenBytes(token.token),
                   static_cast<double>(token.logprob->logprob)};
    for (const engine::TokenLogprob& best : token.best) {
      entry.best.push_back(
          {state_->text.TokenBytes(best.token), static_cast<double>(best.logprob)});
    }
    all.push_back(std::move(entry));
  }
  return all;
}

// A prompt counts once, however many answers it has.
protocol::Usage Answer::CountUsage() const {
  protocol::Usage usage;
  bool is_counted = false;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    const engine::CompletionSummary& summary = choices_[i].summary;
    usage.completion_tokens += summary.completion_tokens;
    if (plan_.member.is_resumed) {
      usage.resumed_tokens = usage.resumed_tokens.value_or(0) + choices_[i].resumed_tokens;
    }
    if (i % plan_.choices_by_prompt == 0) is_counted = false;
    if (is_counted || !choices_[i].is_submitted) continue;  // one that was over before saw no prompt
    is_counted = true;
    usage.prompt_tokens += summary.prompt_tokens;
    usage.cached_tokens += summary.cached_prompt_tokens;
  }
  return usage;
}

void Answer::Finish() {
  const protocol::Usage usage = CountUsage();
  plan_.line.prompt_tokens = usage.prompt_tokens;
  plan_.line.cached_tokens = usage.cached_tokens;
  plan_.line.completion_tokens = usage.completion_tokens;
  plan_.line.finish =
      protocol::FinishWord(choices_.front().choice.finish.value_or(protocol::Finish::kStop));
  if (plan_.stream) {
    BeginStream();
    if (plan_.head.usage_follows) responder_->Write(protocol::UsageEvent(plan_.head, usage));
    responder_->Write(std::string(protocol::kDoneEvent));
    responder_->EndStream();
  } else {
    responder_->Respond({.headers = Headers(), .body = WholeBody(usage)});
  }
  Close(200);
}

// What was over before is not given again. Of several the best answers are numbered anew.
std::vector<protocol::Choice> Answer::GivenChoices() {
  std::vector<protocol::Choice> given;
  for (Progress& progress : choices_) {
    if (!plan_.member.token_ids) break;
    const auto index = static_cast<std::size_t>(progress.choice.index);
    progress.choice.prompt_token_ids = plan_.member.prompts[index / plan_.choices_by_prompt];
  }
  if (plan_.given_by_prompt == plan_.choices_by_prompt) {
    for (Progress& progress : choices_) {
      if (progress.is_submitted) given.push_back(std::move(progress.choice));
    }
    return given;
  }
  for (std::size_t first = 0; first < choices_.size(); first += plan_.choices_by_prompt) {
    std::vector<RatedAnswer> rated;
    for (std::size_t i = 0; i < plan_.choices_by_prompt; ++i) {
      rated.push_back({choices_[first + i].logprob_sum, choices_[first + i].tokens});
    }
    for (const std::size_t i : BestAnswers(rated, plan_.given_by_prompt)) {
      given.push_back(std::move(choices_[first + i].choice));
      given.back().index = static_cast<std::int32_t>(given.size()) - 1;
    }
  }
  return given;
}

std::string Answer::WholeBody(const protocol::Usage& usage) {
  if (plan_.embedding) {
    std::vector<std::vector<float>> embeddings;
    for (Progress& progress : choices_) {
      embeddings.push_back(std::move(progress.summary.embedding));
    }
    return protocol::EmbeddingAnswer(plan_.head.model, embeddings, *plan_.embedding, usage);
  }
  return protocol::WholeAnswer(plan_.head, GivenChoices(), usage);
}

void Answer::Fail(const protocol::ApiError& error) {
  if (is_over_) return;
  plan_.line.error = error.code.empty() ? error.type : error.code;
  state_->metrics.CountEnd(Outcome::kError);
  if (is_streaming_) {
    // Clients raise what comes as an error, and see no [DONE].
    responder_->Write(protocol::ErrorEvent(error));
    responder_->EndStream();
  } else {
    responder_->Respond(access::ErrorResponse(error, plan_.line.id));
  }
  CancelAll();
  Close(error.status);
}

void Answer::OnDrain() {
  responder_->Post([self = shared_from_this()] { self->OnTick(); });
}

void Answer::GiveBack() {
  if (is_over_) return;
  if (!plan_.member.speaks()) {
    return Fail(GivenUp());
  }
  protocol::HandBack word{.seed = plan_.member.seed,
                          .given = {.id = plan_.head.id,
                                    .created = plan_.head.created,
                                    .prompts = std::move(plan_.member.prompts),
                                    .choices = {}}};
  // Nobody has seen anything of an answer that was to come whole.
  for (Progress& progress : choices_) {
    if (!plan_.stream || !progress.is_opened) continue;
    word.given.choices.push_back(
        {progress.choice.index, std::move(progress.given), progress.is_ended});
  }
  plan_.line.error = "switchyard_hand_back";
  state_->metrics.CountEnd(Outcome::kAbort);
  if (plan_.stream && is_streaming_) {
    responder_->Write(protocol::HandBackEvent(word));
    responder_->EndStream();
  } else {
    responder_->Respond({.status = protocol::kHandBackStatus,
                         .headers = {{"x-request-id", plan_.line.id}, {"Retry-After", "1"}},
                         .body = protocol::HandBackBody(word)});
  }
  CancelAll();
  Close(protocol::kHandBackStatus);
}

void Answer::OnGone() {
  if (is_over_) return;
  for (const Progress& progress : choices_) {
    if (progress.is_submitted && !progress.is_ended) state_->metrics.CountEnd(Outcome::kAbort);
  }
  CancelAll();
  plan_.line.finish = "abort";
  Close(kClientGone);
}

void Answer::CancelAll() {
  for (const Progress& progress : choices_) {
    if (progress.is_submitted && !progress.is_ended) state_->service.Cancel(progress.id);
  }
}

net::HttpHeaders Answer::Headers() const {
  net::HttpHeaders headers = plan_.headers;
  headers.emplace_back("x-request-id", plan_.line.id);
  return headers;
}

void Answer::Close(int status) {
  if (is_over_) return;
  is_over_ = true;
  state_->live.Remove(this);
  plan_.line.status = status;
  plan_.line.total_s = Seconds(Clock::now() - plan_.arrival);
  for (const Progress& progress : choices_) {
    if (!progress.is_ended) plan_.line.completion_tokens += progress.tokens;
  }
  std::int64_t tokens = 0;
  for (const Progress& progress : choices_) tokens += progress.tokens;
  plan_.key.Settle(std::ranges::any_of(choices_, &Progress::is_submitted), tokens);
  state_->metrics.CountHttp(status);
  if (state_->options.log) state_->options.log(ToRecord(plan_.line));
  if (plan_.trace && !choices_.empty()) {
    state_->options.trace(SpansOf(*plan_.trace, plan_.line, choices_.front().summary));
  }
  --state_->in_flight;
}

}  // namespace switchyard::server
