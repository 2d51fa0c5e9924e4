// Runs many requests on one chip at once: in each step the sequences that decode go on by a token
// and prompts by a chunk, as policy::PlanBatch says; a sequence whose pages were needed elsewhere
// gives them back and recomputes them later. Texts that begin alike share pages.
//
// On a chip whose results do not depend on the batch (SY_DEVICE_BATCH_INVARIANT) a request's tokens
// are the same bit for bit whatever else runs, and whether or not it was preempted or its prompt
// was cached. On others, logits may differ in their last bits, as with any batch; unless the engine
// is deterministic: then it computes each request alone and each of its tokens always in the same
// shape. A page that the prompt fills is one step, every other token is a step by itself, also when
// it is computed again. Only such pages of prompts are shared. It costs what batches gain.
//
// A request that embeds is a prompt like others, whose last step gives its embedding.
//
// Threads: as CompletionService says; the engine has one thread of its own, which alone uses the
// runner. The destructor cancels what still runs and waits for that thread.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <thread>
#include <vector>

#include "base/error.h"
#include "engine/answer.h"
#include "engine/completion_service.h"
#include "engine/kv_job.h"
#include "engine/kv_transfer.h"
#include "engine/runner.h"
#include "model/tokenizer.h"
#include "policy/batching.h"
#include "policy/recent_rate.h"
#include "policy/step_time.h"
#include "policy/tenant_turns.h"

namespace switchyard::engine {

struct BatchEngineOptions {
  std::int64_t sequences = 16;  // that run at once; no more than the runner's chunk has tokens
  std::int64_t waiting = 1024;  // at most; more are refused
  // A step that decodes takes about so long: prompts beside it get what fits, or what lets it take
  // four times as long as decoding alone if that is more. 0: all that fits into the runner's chunk.
  double step_budget_ms = 50;
  bool prefix_cache = true;
  // No text depends on what else runs, on any chip: what is below for chips whose results depend on
  // the batch. KV pages of others, computed elsewhere, are refused.
  bool deterministic = false;
  // Told once, on the engine's thread, if the chip is lost, with the requests that it had.
  std::function<void(const base::Error&, std::size_t requests)> on_lost = {};
};

class BatchEngine final : public CompletionService, public KvTransfer {
 public:
  // `runner` and `tokenizer` outlive the engine, and nobody else uses the runner meanwhile. No
  // sequence holds pages of it.
  BatchEngine(Runner& runner, const model::Tokenizer& tokenizer, const BatchEngineOptions& options);
  ~BatchEngine() override;

  base::Result<RequestId> Submit(CompletionRequest request,
                                 std::shared_ptr<CompletionListener> listener) override;
  void Cancel(RequestId id) override;
  ServiceStatus Status() const override;
  std::int64_t context_tokens() const override { return context_tokens_; }

  // Between two steps they have some milliseconds, and move one page at least.
  void ExportKv(KvExportRequest request, ExportDone done) override;
  void ImportKv(KvPages pages, ImportDone done) override;

  // How many tokens of a text the prefix cache holds. Any thread.
  std::int64_t CachedTokens(std::span<const TokenId> tokens) const;
  std::int64_t sequences() const { return options_.sequences; }
  std::int64_t vocabulary_size() const { return runner_.vocabulary_size(); }
  // What the destructor does; nothing is accepted afterwards.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Request;
  // What goes through the model together: those that want logits, or those that embed.
  struct Batch {
    std::vector<StepItem> items;
    std::vector<Request*> fed;
    StepOutput output = StepOutput::kLogits;
  };

  void Loop();
  std::array<Batch, 2> PlanStep();
  void Carry(const policy::BatchPlan& plan);
  void Preempt(Request& request);
  void Admit(Request& request);
  void Run(std::span<const StepItem> items, std::span<Request* const> fed, StepOutput output);
  void RunAlone(const Batch& batch);
  // The beginning of a request's text whose pages may be shared.
  std::span<const TokenId> SharedText(Request& request, std::int64_t tokens) const;
  void AfterStep(Request& request, std::span<const float> rows);
  void FinishEmbedding(Request& request);
  void Finish(RequestId id, CompletionEnd end, base::Error error = {});
  void End(Request& request, CompletionEnd end, base::Error error);
  void FailAll(const base::Error& error);
  void Queue(std::unique_ptr<KvJob> job);
  void MovePages();
  void FailKvJobs(const base::Error& error);
  void CountStep(std::span<const StepItem> items, StepOutput output, double seconds);

  Runner& runner_;
  const model::Tokenizer& tokenizer_;
  BatchEngineOptions options_;
  std::int64_t context_tokens_;
  bool is_alone_ = false;  // each request is computed by itself

  // Of the engine's thread alone.
  std::map<RequestId, std::unique_ptr<Request>> requests_;  // the oldest first
  policy::TenantTurns turns_;
  std::int64_t computed_tokens_ = 0;  // of all texts: the clock of SequenceState's arrived_at
  policy::StepTime step_time_;

  // Guards what follows and the runner's pool of pages.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  RequestId last_id_ = 0;
  std::vector<std::unique_ptr<Request>> submitted_;
  std::set<RequestId> alive_;
  std::vector<RequestId> cancelled_;
  std::deque<std::unique_ptr<KvJob>> kv_jobs_;  // the first is in progress
  base::Status lost_;  // why there is no going on; only the engine's thread writes it
  EngineCounts counts_;
  policy::RecentRate computed_rate_;
  policy::RecentRate completion_rate_;
  ReplicaStatus replica_;

  std::thread thread_;  // last: it uses all the others
};

}  // namespace switchyard::engine
