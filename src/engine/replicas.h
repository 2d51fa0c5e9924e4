// Several chips that run the same model, behind one queue: a request goes to the one with a place
// that has most of its prompt cached and is least busy. If a chip is lost, its requests go on from
// their tokens on another; a listener sees nothing of it but that the deltas go on.
//
// Each engine's runner needs a model::Model of its own, since a model prepares weights for one
// thread only; the file behind them is mapped once.
//
// Threads: as CompletionService says. A listener is called from the thread of the engine that runs
// the request; if the last chip is gone, from the one that found out. The destructor cancels what
// still runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "engine/batch_engine.h"
#include "engine/completion_service.h"
#include "engine/kv_transfer.h"
#include "policy/tenant_turns.h"

namespace switchyard::engine {

struct ReplicasOptions {
  std::int64_t waiting = 1024;  // at most, in the common queue
};

class Replicas final : public CompletionService, public KvTransfer {
 public:
  // At least one engine; all of the same model, and each with as many places to wait as to run.
  Replicas(std::vector<std::unique_ptr<BatchEngine>> engines, const ReplicasOptions& options);
  ~Replicas() override;

  base::Result<RequestId> Submit(CompletionRequest request,
                                 std::shared_ptr<CompletionListener> listener) override;
  void Cancel(RequestId id) override;
  // Of all together; the pages of lost chips don't count.
  ServiceStatus Status() const override;
  // The least of all, so that any request may go on anywhere.
  std::int64_t context_tokens() const override { return context_tokens_; }
  std::int64_t alive() const;  // replicas

  // From the replica that has most of the text cached.
  void ExportKv(KvExportRequest request, ExportDone done) override;
  // To the least busy of the replicas that have what comes before the pages.
  void ImportKv(KvPages pages, ImportDone done) override;

 private:
  class Session;
  struct Replica {
    std::unique_ptr<BatchEngine> engine;
    bool is_lost = false;
    std::int64_t requests = 0;
    std::uint64_t moved = 0;  // requests, to others
  };
  struct Failure {
    std::shared_ptr<Session> session;
    base::Error why;
  };
  using Failures = std::vector<Failure>;

  // Gives out what has a place; returns the sessions that fail because nobody is left, or because
  // none takes them. Under the mutex.
  Failures Dispatch();
  // The engine of the replica that `key` is highest for, the first among equals.
  template <typename Key>
  base::Result<BatchEngine*> BestOfAlive(Key key) const;
  base::Status Give(Session& session, std::size_t replica);
  void OnReplicaEnd(const std::shared_ptr<Session>& session, const CompletionSummary& summary);
  void Fail(const Failures& failures);

  ReplicasOptions options_;
  std::int64_t context_tokens_ = 0;

  mutable std::mutex mutex_;  // taken before an engine's
  std::vector<Replica> replicas_;
  bool stopping_ = false;
  RequestId last_id_ = 0;
  std::uint64_t turn_ = 0;
  std::uint64_t ended_ = 0;
  policy::TenantTurns turns_;
  base::Error lost_;                                     // why the last replica was lost
  std::map<RequestId, std::shared_ptr<Session>> alive_;  // shared with the engine that runs it
  std::map<RequestId, std::shared_ptr<Session>> queue_;  // of those, without a replica
};

}  // namespace switchyard::engine
