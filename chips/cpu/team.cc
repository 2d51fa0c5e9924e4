#include "team.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <system_error>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace switchyard::cpu {
namespace {

constexpr int kUnitBits = 28;
constexpr std::uint64_t kUnitMask = (std::uint64_t{1} << kUnitBits) - 1;

// Long enough to bridge what a host does between two tokens of a small model, short enough to cost
// nothing when it stops generating or when another process wants the core.
constexpr std::chrono::microseconds kSpinTime{150};
constexpr int kSpinsOfCheck = 64;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void SleepWhile(std::atomic<std::uint32_t>& word, std::uint32_t value) {
#if defined(__linux__)
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
  word.wait(value);
#endif
}

void WakeAll(std::atomic<std::uint32_t>& word) {
#if defined(__linux__)
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
#else
  word.notify_all();
#endif
}

}  // namespace

Team::~Team() {
  is_closing_.store(true);
  WakeSleepers();
  for (std::thread& worker : workers_) worker.join();
}

Status Team::Start() {
  try {
    workers_.reserve(static_cast<std::size_t>(threads_));
    for (int thread = 1; thread < threads_; ++thread) {
      workers_.emplace_back([this, thread] { Work(thread); });
    }
  } catch (const std::exception& e) {
    return Fail(SY_RESOURCE_EXHAUSTED,
                "cannot start thread %zu of %d (%s); ask for fewer by the option 'threads'",
                workers_.size() + 1, threads_, e.what());
  }
  return {};
}

void Team::Run(Job& job) {
  const std::lock_guard lock(run_mutex_);
  job_ = &job;
  stage_ = -1;
  is_finished_.store(false, std::memory_order_relaxed);
  OpenNextStage(0);
  while (!is_finished_.load(std::memory_order_acquire)) {
    if (TakeUnits(0)) continue;
    WaitUntil([this] { return is_finished_.load() || (ticket_.load() & kUnitMask) != 0; });
  }
}

void Team::Work(int thread) {
  while (!is_closing_.load(std::memory_order_relaxed)) {
    if (TakeUnits(thread)) continue;
    WaitUntil([this] { return is_closing_.load() || (ticket_.load() & kUnitMask) != 0; });
  }
}

bool Team::TakeUnits(int thread) {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  std::uint64_t left = 0;
  std::uint64_t taken = 0;
  do {
    left = ticket & kUnitMask;
    if (left == 0) return false;
    // Large portions first, single units at the end: few claims, and an even finish.
    taken = std::max<std::uint64_t>(1, left / (2 * static_cast<std::uint64_t>(threads_)));
  } while (!ticket_.compare_exchange_weak(ticket, ticket - taken, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  // Our units are part of the open stage, which therefore stays open until they are done.
  const std::int64_t units = units_;
  const std::int64_t begin = units - static_cast<std::int64_t>(left);
  const auto count = static_cast<std::int64_t>(taken);
  job_->Run(stage_, begin, begin + count, thread);
  if (done_.fetch_add(count, std::memory_order_acq_rel) + count == units) OpenNextStage(thread);
  return true;
}

void Team::OpenNextStage(int thread) {
  for (;;) {
    ++stage_;
    if (stage_ == job_->stage_count()) {
      is_finished_.store(true);
      WakeSleepers();
      return;
    }
    const std::int64_t units = job_->Open(stage_);
    if (units == 0) continue;
    if (units == 1 || threads_ == 1) {
      job_->Run(stage_, 0, units, thread);
      continue;
    }
    units_ = units;
    done_.store(0, std::memory_order_relaxed);
    ++sequence_;
    ticket_.store((sequence_ << kUnitBits) | static_cast<std::uint64_t>(units));
    WakeSleepers();
    return;
  }
}

// Pairs with WaitUntil: the state was stored before we look for sleepers, and they count themselves
// before they look at the state, all sequentially consistent, so one of us sees the other.
void Team::WakeSleepers() {
  if (sleepers_.load() == 0) return;
  wake_count_.fetch_add(1);
  WakeAll(wake_count_);
}

template <class Condition>
void Team::WaitUntil(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kSpinsOfCheck; ++i) {
      if (condition()) return;
      Pause();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  const std::uint32_t seen = wake_count_.load();
  sleepers_.fetch_add(1);
  if (!condition()) SleepWhile(wake_count_, seen);
  sleepers_.fetch_sub(1);
}

}  // namespace switchyard::cpu
