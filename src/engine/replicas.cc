#include "engine/replicas.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "policy/replica_choice.h"

namespace switchyard::engine {

using base::ErrorCode;

// A request from its submission to its end, wherever it runs. While a replica has it, that
// replica's thread alone changes it; else it is under the mutex.
class Replicas::Session final : public CompletionListener,
                                public std::enable_shared_from_this<Session> {
 public:
  Session(Replicas& owner, CompletionRequest asked, std::shared_ptr<CompletionListener> told)
      : request(std::move(asked)),
        listener(std::move(told)),
        is_told_resumed_(request.resumed.empty()),
        owner_(owner) {}

  void OnBegin() override { listener->OnBegin(); }
  // A replica that takes over tells what the one before had given too.
  void OnResumed(const std::string& text) override {
    if (!std::exchange(is_told_resumed_, true)) listener->OnResumed(text);
  }
  void OnDelta(const CompletionDelta& delta) override {
    for (const CompletionToken& token : delta.tokens) request.resumed.push_back(token.token);
    told_tokens += std::ssize(delta.tokens);
    listener->OnDelta(delta);
  }
  void OnEnd(const CompletionSummary& summary) override {
    if (!cached_prompt_tokens && summary.completion_tokens > 0) {
      cached_prompt_tokens = summary.cached_prompt_tokens;
    }
    queued_s += summary.queued_s;
    prefill_s += summary.prefill_s;
    decode_s += summary.decode_s;
    owner_.OnReplicaEnd(shared_from_this(), summary);
  }
  // To the listener, with what earlier replicas did for it.
  void End(CompletionSummary summary) const {
    summary.prompt_tokens = std::ssize(request.prompt);
    summary.cached_prompt_tokens = cached_prompt_tokens.value_or(summary.cached_prompt_tokens);
    summary.completion_tokens = told_tokens;
    summary.queued_s = queued_s;
    summary.prefill_s = prefill_s;
    summary.decode_s = decode_s;
    listener->OnEnd(summary);
  }
  void CountQueueing() {
    const auto now = std::chrono::steady_clock::now();
    queued_s += std::chrono::duration<double>(now - queued).count();
    queued = now;
  }

  RequestId id = 0;
  CompletionRequest request;
  std::shared_ptr<CompletionListener> listener;  // shared with the caller, who reads from it
  policy::TenantTurns::Tenant tenant = 0;
  std::optional<std::size_t> replica;
  RequestId id_there = 0;
  bool is_cancelled = false;
  std::int64_t told_tokens = 0;
  std::optional<std::int64_t> cached_prompt_tokens;
  std::chrono::steady_clock::time_point queued = std::chrono::steady_clock::now();
  double queued_s = 0;
  double prefill_s = 0;
  double decode_s = 0;

 private:
  bool is_told_resumed_;
  Replicas& owner_;
};

Replicas::Replicas(std::vector<std::unique_ptr<BatchEngine>> engines,
                   const ReplicasOptions& options)
    : options_(options) {
  SWITCHYARD_CHECK(!engines.empty());
  context_tokens_ = engines.front()->context_tokens();
  for (std::unique_ptr<BatchEngine>& engine : engines) {
    context_tokens_ = std::min(context_tokens_, engine->context_tokens());
    replicas_.push_back({std::move(engine)});
  }
}

Replicas::~Replicas() {
  std::vector<std::shared_ptr<Session>> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [id, session] : std::exchange(queue_, {})) {
      left.push_back(session);
      alive_.erase(id);
    }
  }
  for (const auto& session : left) session->End({.end = CompletionEnd::kCancelled, .error = {}});
  // Each waits for its thread, which may still call us.
  for (Replica& replica : replicas_) replica.engine->Stop();
}

base::Result<RequestId> Replicas::Submit(CompletionRequest request,
                                         std::shared_ptr<CompletionListener> listener) {
  SWITCHYARD_RETURN_IF_ERROR(
      Validate(request, context_tokens_, replicas_.front().engine->vocabulary_size()));
  // Else a replica with more room would write what another could not take over.
  const std::int64_t room = context_tokens_ - std::ssize(request.prompt);
  request.max_tokens = request.max_tokens < 0 ? room : std::min(request.max_tokens, room);
  const auto session = std::make_shared<Session>(*this, std::move(request), std::move(listener));
  Failures failed;
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (std::ranges::all_of(replicas_, &Replica::is_lost)) return std::unexpected(lost_);
    if (std::ssize(queue_) >= options_.waiting) {
      return base::Fail(ErrorCode::kResourceExhausted,
                        "{} requests wait already, which is the most: try again later",
                        queue_.size());
    }
    id = session->id = ++last_id_;
    session->tenant = turns_.Arrive(session->request.tenant);
    alive_.emplace(id, session);
    queue_.emplace(id, session);
    failed = Dispatch();
  }
  Fail(failed);
  return id;
}

base::Status Replicas::Give(Session& session, std::size_t index) {
  Replica& replica = replicas_[index];
  session.CountQueueing();  // from here on it may be the replica's
  const auto given = replica.engine->Submit(session.request, session.shared_from_this());
  if (!given) return std::unexpected(given.error());
  session.replica = index;
  session.id_there = *given;
  ++replica.requests;
  if (session.is_cancelled) replica.engine->Cancel(*given);
  return {};
}

Replicas::Failures Replicas::Dispatch() {
  Failures failed;
  std::vector<bool> is_full(replicas_.size());
  while (!queue_.empty() && !stopping_) {
    std::vector<policy::ReplicaState> states;
    bool has_place = false;
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
      const Replica& replica = replicas_[i];
      const bool takes_none = replica.is_lost || is_full[i];
      states.push_back({takes_none, replica.requests, replica.engine->sequences(), 0});
      has_place = has_place || (!takes_none && replica.requests < states.back().sequences);
    }
    if (std::ranges::all_of(replicas_, &Replica::is_lost)) {
      for (auto& [id, session] : std::exchange(queue_, {})) failed.push_back({session, lost_});
      break;
    }
    if (!has_place) break;
    std::vector<policy::QueuedRequest> waiting;
    for (const auto& [id, session] : queue_) {
      waiting.push_back({id, session->request.priority, turns_.served(session->tenant)});
    }
    const std::shared_ptr<Session> next =
        queue_.at(waiting[policy::NextInQueue(waiting, turn_++)].id);
    std::vector<TokenId> tokens = next->request.prompt;
    tokens.insert(tokens.end(), next->request.resumed.begin(), next->request.resumed.end());
    for (std::size_t i = 0; i < states.size(); ++i) {
      states[i].cached_tokens = replicas_[i].engine->CachedTokens(tokens);
    }
    const auto chosen = policy::ChooseReplica(states, std::ssize(tokens));
    Replica& replica = replicas_[*chosen];
    const auto given = Give(*next, *chosen);
    if (!given && given.error().code == ErrorCode::kUnavailable) {
      replica.is_lost = true;
      lost_ = given.error();
      continue;
    }
    if (!given && given.error().code == ErrorCode::kResourceExhausted && replica.requests > 0) {
      is_full[*chosen] = true;  // until one of its requests ends, or another comes
      continue;
    }
    queue_.erase(next->id);
    if (given) {
      turns_.Charge(next->tenant, std::ssize(tokens));
    } else {
      failed.push_back({next, given.error()});
    }
  }
  return failed;
}

void Replicas::Fail(const Failures& failures) {
  for (const auto& [session, why] : failures) {
    CompletionSummary summary;
    summary.end = CompletionEnd::kFailed;
    summary.error = why;
    {
      const std::lock_guard lock(mutex_);
      turns_.Leave(session->tenant);
      alive_.erase(session->id);
      ++ended_;
      session->CountQueueing();
    }
    session->End(summary);
  }
}

void Replicas::OnReplicaEnd(const std::shared_ptr<Session>& session,
                            const CompletionSummary& summary) {
  const bool is_lost =
      summary.end == CompletionEnd::kFailed && summary.error.code == ErrorCode::kUnavailable;
  Failures failed;
  bool is_over = !is_lost;
  {
    const std::lock_guard lock(mutex_);
    Replica& replica = replicas_[*session->replica];
    --replica.requests;
    session->replica.reset();
    if (is_lost) {
      replica.is_lost = true;
      lost_ = summary.error;
      is_over = stopping_;
    }
    if (is_over) {
      turns_.Charge(session->tenant, session->told_tokens);
      turns_.Leave(session->tenant);
      alive_.erase(session->id);
      ++ended_;
    } else {
      ++replica.moved;
      session->queued = std::chrono::steady_clock::now();
      queue_.emplace(session->id, session);
    }
    failed = Dispatch();
  }
  if (is_over) session->End(summary);
  Fail(failed);
}

void Replicas::Cancel(RequestId id) {
  const std::lock_guard lock(mutex_);
  const auto at = alive_.find(id);
  if (at == alive_.end()) return;
  const std::shared_ptr<Session> session = at->second;
  session->is_cancelled = true;
  if (session->replica) {
    replicas_[*session->replica].engine->Cancel(session->id_there);
    return;
  }
  // It still waits: any engine ends it, from its own thread.
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    if (replicas_[i].is_lost || !Give(*session, i)) continue;
    queue_.erase(id);
    return;
  }
}

ServiceStatus Replicas::Status() const {
  const std::lock_guard lock(mutex_);
  ServiceStatus sum;
  for (const Replica& replica : replicas_) {
    const ServiceStatus one = replica.engine->Status();
    sum.kv_page_tokens = one.kv_page_tokens;
    sum.running += one.running;
    sum.waiting += one.waiting;
    sum.prefill_tokens += one.prefill_tokens;
    sum.computed_tokens_s += one.computed_tokens_s;
    sum.completion_tokens_s += one.completion_tokens_s;
    sum.prompt_tokens += one.prompt_tokens;
    sum.cached_prompt_tokens += one.cached_prompt_tokens;
    sum.completion_tokens += one.completion_tokens;
    sum.preemptions += one.preemptions;
    sum.steps += one.steps;
    sum.replicas.push_back(one.replicas.front());
    sum.replicas.back().is_lost = replica.is_lost || sum.replicas.back().is_lost;
    sum.replicas.back().requests_moved = replica.moved;
    if (replica.is_lost) continue;
    sum.kv_pages += one.kv_pages;
    sum.kv_pages_in_use += one.kv_pages_in_use;
    sum.kv_pages_cached += one.kv_pages_cached;
    sum.planned_programs += one.planned_programs;
  }
  sum.waiting += std::ssize(queue_);
  for (const auto& [id, session] : queue_) {
    const CompletionRequest& request = session->request;
    sum.prefill_tokens += std::ssize(request.prompt) + std::ssize(request.resumed);
  }
  sum.requests_ended = ended_;
  return sum;
}

template <typename Key>
base::Result<BatchEngine*> Replicas::BestOfAlive(Key key) const {
  const std::lock_guard lock(mutex_);
  const Replica* best = nullptr;
  for (const Replica& replica : replicas_) {
    if (replica.is_lost) continue;
    if (best == nullptr || key(replica) > key(*best)) best = &replica;
  }
  if (best == nullptr) return std::unexpected(lost_);
  return best->engine.get();
}

void Replicas::ExportKv(KvExportRequest request, ExportDone done) {
  const auto engine = BestOfAlive(
      [&](const Replica& replica) { return replica.engine->CachedTokens(request.tokens); });
  if (!engine) return done(std::unexpected(engine.error()));
  (*engine)->ExportKv(std::move(request), std::move(done));
}

void Replicas::ImportKv(KvPages pages, ImportDone done) {
  const KvPagesHead& head = pages.head();
  const auto engine = BestOfAlive([&](const Replica& replica) {
    const std::int64_t cached = replica.engine->CachedTokens(head.tokens);
    return std::pair(std::min(cached, head.first_token()), -replica.requests);
  });
  if (!engine) return done(std::unexpected(engine.error()));
  (*engine)->ImportKv(std::move(pages), std::move(done));
}

std::int64_t Replicas::alive() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::count(replicas_, false, &Replica::is_lost);
}

}  // namespace switchyard::engine
