// The threads of one device. A job is a list of stages; a stage is a number of units that any
// thread may take in any order; a stage begins when every unit of the one before is done.
//
// Small models are where this matters: a token of a 135M model is some 200 stages in 2 ms. So there
// is no barrier that every thread must reach. Whoever finishes the last unit of a stage opens the
// next by one store, threads take units by compare-and-swap on that same word, and a stage of one
// unit is run by the opener without waking anyone. A thread that the machine has taken away holds
// up nothing but the units it had claimed; one that slept through ten stages joins the eleventh.
//
// Run may be called from any thread; calls take turns. Waiting threads spin briefly, then sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "status.h"

namespace switchyard::cpu {

class Job {
 public:
  virtual ~Job() = default;
  virtual int stage_count() const = 0;
  // Called once a stage, by one thread, when all earlier stages are done. Returns the units.
  virtual std::int64_t Open(int stage) = 0;
  virtual void Run(int stage, std::int64_t begin, std::int64_t end, int thread) = 0;
};

class Team {
 public:
  explicit Team(int threads) : threads_(threads) {}
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Starts the threads; the caller of Run is one of the team, so there are threads - 1.
  Status Start();
  int threads() const { return threads_; }
  void Run(Job& job);

 private:
  void Work(int thread);
  bool TakeUnits(int thread);
  void OpenNextStage(int thread);
  void WakeSleepers();
  template <class Condition>
  void WaitUntil(Condition condition);

  const int threads_;
  std::vector<std::thread> workers_;
  std::mutex run_mutex_;  // one job at a time

  // The open stage's sequence number (high bits) and its units that nobody has taken (low bits).
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  // Of the open stage: written before the ticket, read only by holders of its units.
  alignas(64) Job* job_ = nullptr;
  int stage_ = 0;
  std::int64_t units_ = 0;
  std::uint64_t sequence_ = 0;
  alignas(64) std::atomic<std::int64_t> done_{0};
  alignas(64) std::atomic<bool> is_finished_{true};
  std::atomic<bool> is_closing_{false};
  alignas(64) std::atomic<std::uint32_t> wake_count_{0};  // the word that sleepers wait on
  std::atomic<std::int32_t> sleepers_{0};
};

}  // namespace switchyard::cpu
