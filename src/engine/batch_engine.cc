#include "engine/batch_engine.h"

#include <algorithm>
#include <utility>

#include "engine/embedding.h"

namespace switchyard::engine {
namespace {

using base::ErrorCode;
using base::Fail;

// Of those that wait, so many are looked at in a step: a few more than can begin.
constexpr std::size_t kCandidates = 64;

// Seconds of the steady clock.
double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Of exports and imports that wait, each with its pages in memory.
constexpr std::size_t kKvJobs = 8;

// In which pages are moved between two steps: a tenth of what a step may take.
constexpr std::chrono::milliseconds kMoveTime{5};

}  // namespace

struct BatchEngine::Request {
  RequestId id = 0;
  Answer answer;
  std::shared_ptr<CompletionListener> listener;  // shared with the caller, who reads from it
  policy::TenantTurns::Tenant tenant = 0;
  std::int64_t arrived_at = 0;  // as SequenceState has it
  bool runs = false;
  std::int64_t published = 0;       // pages
  std::int64_t prefill_tokens = 0;  // as EngineCounts has them
  std::int64_t cached_prompt_tokens = 0;
  policy::PagePool::Prefix prefix = {};  // while it waits: what the cache has of it
  Clock::time_point submitted = Clock::now();
  std::optional<Clock::time_point> begun = {};
  std::optional<Clock::time_point> first_token = {};
  std::optional<PooledStates> pooled = {};  // of one that embeds

  Sequence& sequence() { return answer.sequence(); }
  // A mean needs the hidden state of every token, so each is run.
  bool takes_cached() const { return !pooled || !pooled->needs_all(); }
};

BatchEngine::BatchEngine(Runner& runner, const model::Tokenizer& tokenizer,
                         const BatchEngineOptions& options)
    : runner_(runner),
      tokenizer_(tokenizer),
      options_(options),
      computed_rate_(Now()),
      completion_rate_(Now()) {
  options_.sequences =
      std::clamp<std::int64_t>(options.sequences, 1, runner.options().chunk_tokens);
  const KvShape& kv = runner.kv_shape();
  context_tokens_ = std::min(runner.options().context_tokens, kv.pages * kv.page_size);
  is_alone_ = options.deterministic && !runner.is_batch_invariant();
  runner.KeepBatchInvariant(options.deterministic && !is_alone_);
  counts_.kv_page_tokens = kv.page_size;
  counts_.kv_pages = kv.pages;
  thread_ = std::thread([this] { Loop(); });
}

BatchEngine::~BatchEngine() { Stop(); }

void BatchEngine::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  FailKvJobs({ErrorCode::kUnavailable, "the engine was stopped"});
}

base::Result<RequestId> BatchEngine::Submit(CompletionRequest request,
                                            std::shared_ptr<CompletionListener> listener) {
  SWITCHYARD_RETURN_IF_ERROR(Validate(request, context_tokens_, runner_.vocabulary_size()));
  std::unique_ptr<Request> made(
      new Request{.id = 0,
                  .answer = Answer(std::move(request), tokenizer_, context_tokens_),
                  .listener = std::move(listener)});
  if (made->answer.request().embeds) made->pooled.emplace(runner_.pooling());
  made->prefill_tokens = std::ssize(made->sequence().tokens);
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!lost_) return std::unexpected(lost_.error());
    if (stopping_) return Fail(ErrorCode::kUnavailable, "the engine was stopped");
    const auto waiting = counts_.waiting + static_cast<std::int64_t>(submitted_.size());
    if (waiting >= options_.waiting) {
      return Fail(ErrorCode::kResourceExhausted,
                  "{} requests wait already, which is the most: try again later", waiting);
    }
    id = made->id = ++last_id_;
    alive_.insert(id);
    submitted_.push_back(std::move(made));
  }
  wake_.notify_one();
  return id;
}

void BatchEngine::Cancel(RequestId id) {
  {
    const std::lock_guard lock(mutex_);
    if (!alive_.contains(id)) return;
    cancelled_.push_back(id);
  }
  wake_.notify_one();
}

ServiceStatus BatchEngine::Status() const {
  const std::lock_guard lock(mutex_);
  ServiceStatus status{counts_, {replica_}};
  status.waiting += std::ssize(submitted_);
  for (const auto& request : submitted_) status.prefill_tokens += request->prefill_tokens;
  const policy::PagePool& pool = std::as_const(runner_).pool();
  status.kv_pages_in_use = pool.in_use();
  status.kv_pages_cached = pool.cached();
  const double now = Now();
  status.computed_tokens_s = computed_rate_.PerSecond(now);
  status.completion_tokens_s = completion_rate_.PerSecond(now);
  status.replicas.front().counts = status;
  return status;
}

std::int64_t BatchEngine::CachedTokens(std::span<const TokenId> tokens) const {
  if (tokens.empty()) return 0;
  const std::lock_guard lock(mutex_);
  const policy::PagePool& pool = std::as_const(runner_).pool();
  return static_cast<std::int64_t>(pool.FindPrefix(tokens).pages.size()) * pool.page_size();
}

void BatchEngine::Loop() {
  while (true) {
    std::vector<RequestId> cancelled;
    std::array<Batch, 2> batches;
    std::vector<RequestId> over;  // before they began
    std::vector<const Request*> resumed;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] {
        return stopping_ || !submitted_.empty() || !cancelled_.empty() || !requests_.empty() ||
               !kv_jobs_.empty();
      });
      counts_.waiting += std::ssize(submitted_);
      for (std::unique_ptr<Request>& request : std::exchange(submitted_, {})) {
        counts_.prefill_tokens += request->prefill_tokens;
        request->tenant = turns_.Arrive(request->answer.request().tenant);
        request->arrived_at = computed_tokens_;
        if (request->answer.end()) over.push_back(request->id);
        if (!request->answer.request().resumed.empty()) resumed.push_back(request.get());
        requests_.emplace(request->id, std::move(request));
      }
      cancelled = std::exchange(cancelled_, {});
      if (stopping_) {
        for (const auto& [id, request] : requests_) cancelled.push_back(id);
      }
    }
    for (const Request* request : resumed) {
      request->listener->OnResumed(request->answer.resumed_text());
    }
    for (const RequestId id : cancelled) Finish(id, CompletionEnd::kCancelled);
    for (const RequestId id : over) {
      if (const auto at = requests_.find(id); at != requests_.end()) {
        Finish(id, *at->second->answer.end());
      }
    }
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ && submitted_.empty()) return;
      if (!cancelled_.empty()) continue;  // before the next step
      batches = PlanStep();
    }
    for (const Batch& batch : batches) {
      if (!lost_ || batch.items.empty()) continue;
      if (is_alone_) {
        RunAlone(batch);
      } else {
        Run(batch.items, batch.fed, batch.output);
      }
    }
    MovePages();
  }
}

// Under the mutex, as all that touches the pool.
std::array<BatchEngine::Batch, 2> BatchEngine::PlanStep() {
  const policy::PagePool& pool = runner_.pool();
  std::vector<policy::SequenceState> running;
  std::vector<policy::SequenceState> waiting;
  std::vector<std::int64_t> served;
  std::int64_t decoding = 0;
  std::int64_t prefill_tokens = 0;
  for (const auto& [id, request] : requests_) {
    const Sequence& sequence = request->sequence();
    policy::SequenceState state{.id = id,
                                .priority = request->answer.request().priority,
                                .tenant = request->tenant,
                                .arrived_at = request->arrived_at,
                                .tokens = static_cast<std::int64_t>(sequence.tokens.size()),
                                .cached = sequence.cached,
                                .pages = sequence.pages};
    served.resize(std::max<std::size_t>(served.size(), request->tenant + 1));
    served[request->tenant] = turns_.served(request->tenant);
    const bool decodes = request->runs && state.uncached() == 1;
    if (decodes) ++decoding;
    request->prefill_tokens = decodes ? 0 : state.uncached();
    prefill_tokens += request->prefill_tokens;
    if (request->runs && options_.prefix_cache && request->takes_cached()) {
      state.next_page_key = pool.NextKey(SharedText(*request, state.tokens), sequence.pages,
                                         request->published);
    }
    (request->runs ? running : waiting).push_back(state);
  }
  if (waiting.size() > kCandidates) {  // the oldest is the first and stays
    std::ranges::nth_element(
        waiting.begin() + 1, waiting.begin() + kCandidates, waiting.end(),
        [&](const auto& a, const auto& b) { return policy::GoesFirst(a, b, served); });
    waiting.resize(kCandidates);
  }
  for (policy::SequenceState& state : waiting) {
    Request& request = *requests_.at(state.id);
    if (!options_.prefix_cache || !request.takes_cached()) continue;
    request.prefix = pool.FindPrefix(SharedText(request, state.tokens));
    state.pages = request.prefix.pages;
    state.cached = std::ssize(request.prefix.pages) * pool.page_size();
    state.next_page_key = request.prefix.next_key;
  }
  const std::int64_t step_tokens = runner_.options().chunk_tokens;
  policy::BatchLimits limits{.pages = pool.total(),
                             .page_size = pool.page_size(),
                             .sequences = options_.sequences,
                             .step_tokens = step_tokens,
                             .prefill_beside_decode = step_tokens};
  if (decoding > 0 && options_.step_budget_ms > 0) {
    limits.prefill_beside_decode =
        step_time_.PromptTokensBeside(decoding, options_.step_budget_ms / 1000, step_tokens);
  }
  const policy::BatchPlan plan = policy::PlanBatch({running, waiting, served, limits});
  Carry(plan);

  std::array<Batch, 2> batches;
  batches[1].output = StepOutput::kHiddenStates;
  for (const policy::Feed& feed : plan.feeds) {
    Request& request = *requests_.at(feed.id);
    Batch& batch = batches[request.pooled ? 1 : 0];
    batch.items.push_back({&request.sequence(), feed.tokens, !request.takes_cached()});
    batch.fed.push_back(&request);
  }
  counts_.running = std::ranges::count_if(requests_, [](const auto& r) { return r.second->runs; });
  counts_.waiting = std::ssize(requests_) - counts_.running;
  counts_.prefill_tokens = prefill_tokens;
  counts_.preemptions += plan.preempted.size();
  counts_.steps += plan.feeds.empty() ? 0 : 1;
  counts_.planned_programs = static_cast<std::int64_t>(runner_.planned_programs());
  return batches;
}

void BatchEngine::Carry(const policy::BatchPlan& plan) {
  for (const std::uint64_t id : plan.preempted) Preempt(*requests_.at(id));
  for (const std::uint64_t id : plan.admitted) Admit(*requests_.at(id));
  for (const policy::Feed& feed : plan.feeds) {
    Sequence& sequence = requests_.at(feed.id)->sequence();
    policy::PagePool& pool = runner_.pool();
    const std::int64_t pages =
        (sequence.cached + feed.tokens + pool.page_size() - 1) / pool.page_size();
    const std::int64_t more = pages - std::ssize(sequence.pages);
    // The plan counted them.
    SWITCHYARD_CHECK(more <= 0 || pool.Take(more, sequence.pages));
    turns_.Charge(requests_.at(feed.id)->tenant, feed.tokens);
    computed_tokens_ += feed.tokens;
  }
}

void BatchEngine::Preempt(Request& request) {
  runner_.pool().Release(request.sequence().pages);
  request.sequence().cached = 0;
  request.published = 0;
  request.runs = false;
  if (request.pooled) request.pooled->Clear();
}

void BatchEngine::Admit(Request& request) {
  Sequence& sequence = request.sequence();
  if (options_.prefix_cache && request.takes_cached()) {
    runner_.pool().AcquirePrefix(SharedText(request, std::ssize(sequence.tokens)), sequence.pages);
  }
  request.published = std::ssize(sequence.pages);
  sequence.cached = request.published * runner_.pool().page_size();
  request.runs = true;
  if (request.begun) return;  // it was preempted and goes on
  request.begun = Clock::now();
  request.listener->OnBegin();
  request.cached_prompt_tokens = std::min(sequence.cached, request.answer.prompt_tokens());
  counts_.prompt_tokens += request.answer.request().prompt.size();
  counts_.cached_prompt_tokens += static_cast<std::uint64_t>(request.cached_prompt_tokens);
}

void BatchEngine::Run(std::span<const StepItem> items, std::span<Request* const> fed,
                      StepOutput output) {
  const double start = Now();
  const auto rows = runner_.Step(items, output);
  if (!rows) {
    if (rows.error().code == ErrorCode::kUnavailable) {
      FailAll(rows.error());
    } else if (items.size() == 1) {
      Finish(fed.front()->id, CompletionEnd::kFailed, rows.error());
    } else {
      // Whoever is to blame fails alone.
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (!lost_) return;
        Run(items.subspan(i, 1), fed.subspan(i, 1), output);
      }
    }
    return;
  }
  CountStep(items, output, Now() - start);
  const auto width = static_cast<std::size_t>(
      output == StepOutput::kLogits ? runner_.vocabulary_size() : runner_.hidden_size());
  std::size_t at = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto count = items[i].all_logits ? static_cast<std::size_t>(items[i].count) : 1;
    AfterStep(*fed[i], rows->subspan(at * width, count * width));
    at += count;
  }
}

void BatchEngine::RunAlone(const Batch& batch) {
  const double start = Now();
  const std::int64_t page = runner_.kv_shape().page_size;
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    StepItem item = batch.items[i];
    Request* const request = batch.fed[i];
    const RequestId id = request->id;
    const std::int64_t prompt = std::ssize(request->answer.request().prompt);
    // The last page of a prompt may be more than was planned; the page itself was.
    for (std::int64_t left = batch.items[i].count; left > 0; left -= item.count) {
      const std::int64_t at = item.sequence->cached;
      const bool is_page = at % page == 0 && at + page <= prompt &&
                           page <= runner_.options().chunk_tokens;
      item.count = is_page ? page : 1;
      tokens += item.count;
      Run(std::span(&item, 1), std::span(&request, 1), batch.output);
      if (!lost_) return;
      if (!requests_.contains(id)) break;
    }
  }
  step_time_.Observe(tokens, Now() - start);
}

std::span<const TokenId> BatchEngine::SharedText(Request& request, std::int64_t tokens) const {
  const std::span<const TokenId> text = request.sequence().tokens;
  if (is_alone_) {
    const std::int64_t page = runner_.kv_shape().page_size;
    const auto prompt = std::ssize(request.answer.request().prompt);
    // One token more, since a prefix never has the last.
    tokens = std::min(tokens, prompt / page * page + 1);
  }
  return text.first(static_cast<std::size_t>(tokens));
}

void BatchEngine::CountStep(std::span<const StepItem> items, StepOutput output, double seconds) {
  std::int64_t tokens = 0;
  std::int64_t cached = 0;
  for (const StepItem& item : items) {
    tokens += item.count;
    cached += item.sequence->cached;
  }
  if (!is_alone_) step_time_.Observe(tokens, seconds);
  const std::lock_guard lock(mutex_);
  computed_rate_.Count(tokens, Now());
  replica_.fallback_operations = runner_.fallback_operations();
  if (output != StepOutput::kLogits || tokens != std::ssize(items)) return;
  ++replica_.decode_steps;
  replica_.decode_cached_tokens += static_cast<std::uint64_t>(cached);
  replica_.decode_s += seconds;
}

void BatchEngine::AfterStep(Request& request, std::span<const float> rows) {
  Sequence& sequence = request.sequence();
  if (options_.prefix_cache) {
    const std::lock_guard lock(mutex_);
    request.published = runner_.pool().Publish(SharedText(request, sequence.cached),
                                               sequence.pages, request.published);
  }
  if (request.pooled) request.pooled->Add(rows, runner_.hidden_size());
  if (sequence.cached < std::ssize(sequence.tokens)) return;
  if (request.pooled) return FinishEmbedding(request);
  auto delta = request.answer.Next(rows);
  if (!delta) {
    Finish(request.id, CompletionEnd::kFailed, std::move(delta.error()));
    return;
  }
  if (!request.first_token) request.first_token = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    ++counts_.completion_tokens;
    completion_rate_.Count(1, Now());
  }
  request.listener->OnDelta(*delta);
  if (request.answer.end()) Finish(request.id, *request.answer.end());
}

void BatchEngine::FinishEmbedding(Request& request) {
  request.first_token = Clock::now();
  const base::Status whole = request.pooled->Normalise();
  if (whole) return Finish(request.id, CompletionEnd::kEnd);
  Finish(request.id, CompletionEnd::kFailed, whole.error());
}

void BatchEngine::Finish(RequestId id, CompletionEnd end, base::Error error) {
  const auto at = requests_.find(id);
  if (at == requests_.end()) return;
  const std::unique_ptr<Request> request = std::move(at->second);
  requests_.erase(at);
  End(*request, end, std::move(error));
}

void BatchEngine::End(Request& request, CompletionEnd end, base::Error error) {
  turns_.Leave(request.tenant);
  {
    const std::lock_guard lock(mutex_);
    runner_.pool().Release(request.sequence().pages);
    --(request.runs ? counts_.running : counts_.waiting);
    counts_.prefill_tokens -= request.prefill_tokens;
    ++counts_.requests_ended;
    alive_.erase(request.id);
  }
  CompletionSummary summary;
  summary.end = end;
  summary.error = std::move(error);
  summary.prompt_tokens = request.answer.prompt_tokens();
  summary.cached_prompt_tokens = request.cached_prompt_tokens;
  summary.completion_tokens = request.answer.new_tokens();
  if (request.pooled && end == CompletionEnd::kEnd) summary.embedding = request.pooled->states();
  const auto now = Clock::now();
  const auto seconds = [](Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  };
  summary.queued_s = seconds(request.submitted, request.begun.value_or(now));
  if (request.begun) {
    summary.prefill_s = seconds(*request.begun, request.first_token.value_or(now));
  }
  if (request.first_token) summary.decode_s = seconds(*request.first_token, now);
  request.listener->OnEnd(summary);
}

void BatchEngine::FailAll(const base::Error& error) {
  std::vector<std::unique_ptr<Request>> submitted;
  {
    const std::lock_guard lock(mutex_);
    lost_ = std::unexpected(error);
    submitted = std::exchange(submitted_, {});
    counts_.waiting += std::ssize(submitted);
    for (const auto& request : submitted) counts_.prefill_tokens += request->prefill_tokens;
    replica_.is_lost = true;
  }
  if (options_.on_lost) options_.on_lost(error, requests_.size() + submitted.size());
  for (std::unique_ptr<Request>& request : submitted) {
    request->tenant = turns_.Arrive(request->answer.request().tenant);
    requests_.emplace(request->id, std::move(request));
  }
  while (!requests_.empty()) Finish(requests_.begin()->first, CompletionEnd::kFailed, error);
  FailKvJobs(error);
}

void BatchEngine::ExportKv(KvExportRequest request, ExportDone done) {
  Queue(MakeExport(runner_, mutex_, std::move(request), std::move(done)));
}

void BatchEngine::ImportKv(KvPages pages, ImportDone done) {
  if (options_.deterministic) {
    return done(Fail(ErrorCode::kFailedPrecondition,
                     "this server is deterministic and takes no KV pages that others computed"));
  }
  Queue(MakeImport(runner_, mutex_, std::move(pages), std::move(done)));
}

void BatchEngine::Queue(std::unique_ptr<KvJob> job) {
  base::Status refused;
  {
    const std::lock_guard lock(mutex_);
    if (!lost_) {
      refused = lost_;
    } else if (stopping_) {
      refused = Fail(ErrorCode::kUnavailable, "the engine was stopped");
    } else if (!options_.prefix_cache) {
      refused = Fail(ErrorCode::kFailedPrecondition, "this engine runs without a prefix cache");
    } else if (kv_jobs_.size() >= kKvJobs) {
      refused = Fail(ErrorCode::kUnavailable,
                     "{} exports and imports of KV pages wait already: try again later",
                     kv_jobs_.size());
    } else {
      kv_jobs_.push_back(std::move(job));
    }
  }
  if (!refused) return job->Fail(refused.error());
  wake_.notify_one();
}

void BatchEngine::MovePages() {
  const auto end = Clock::now() + kMoveTime;
  do {
    KvJob* job = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (kv_jobs_.empty()) return;
      job = kv_jobs_.front().get();
    }
    const base::Result<bool> over = job->Step();
    if (over && !*over) continue;
    if (!over) job->Fail(over.error());
    {
      const std::lock_guard lock(mutex_);
      kv_jobs_.pop_front();
    }
    if (!over && over.error().code == ErrorCode::kUnavailable) return FailAll(over.error());
  } while (Clock::now() < end);
}

void BatchEngine::FailKvJobs(const base::Error& error) {
  std::deque<std::unique_ptr<KvJob>> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs = std::exchange(kv_jobs_, {});
  }
  for (const std::unique_ptr<KvJob>& job : jobs) job->Fail(error);
}

}  // namespace switchyard::engine
