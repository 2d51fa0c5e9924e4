#include "cli/serve_signals.h"

#include <semaphore.h>

#include <atomic>
#include <cerrno>
#include <ctime>

namespace switchyard::cli {
namespace {

// What a signal may touch: a semaphore, and atomics without locks.
sem_t g_signalled;
std::atomic<int> g_stops = 0;
std::atomic<int> g_reloads = 0;
std::atomic<bool> g_has_terminal = false;
static_assert(std::atomic<int>::is_always_lock_free);

void OnSignal(int number) {
  const int before = errno;
  ++(number == SIGHUP && !g_has_terminal ? g_reloads : g_stops);
  ::sem_post(&g_signalled);
  errno = before;
}

// One that was counted, if it was not taken with others.
std::optional<ServeSignal> Take() {
  if (g_stops > 0) {
    --g_stops;
    return ServeSignal::kStop;
  }
  if (g_reloads.exchange(0) > 0) return ServeSignal::kReload;
  return std::nullopt;
}

}  // namespace

ServeSignals::ServeSignals(bool has_terminal) {
  ::sem_init(&g_signalled, 0, 0);
  g_stops = 0;
  g_reloads = 0;
  g_has_terminal = has_terminal;
  struct sigaction action{};
  action.sa_handler = &OnSignal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, &interrupt_before_);
  ::sigaction(SIGTERM, &action, &terminate_before_);
  ::sigaction(SIGHUP, &action, &hang_up_before_);
}

ServeSignals::~ServeSignals() {
  ::sigaction(SIGINT, &interrupt_before_, nullptr);
  ::sigaction(SIGTERM, &terminate_before_, nullptr);
  ::sigaction(SIGHUP, &hang_up_before_, nullptr);
}

ServeSignal ServeSignals::Wait() {
  while (true) {
    while (::sem_wait(&g_signalled) != 0) {
    }
    if (const auto signal = Take()) return *signal;
  }
}

std::optional<ServeSignal> ServeSignals::Wait(std::chrono::milliseconds limit) {
  timespec until{};
  ::clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += static_cast<std::time_t>(limit.count() / 1000);
  until.tv_nsec += static_cast<long>(limit.count() % 1000) * 1'000'000;
  until.tv_sec += until.tv_nsec / 1'000'000'000;
  until.tv_nsec %= 1'000'000'000;
  while (true) {
    if (::sem_timedwait(&g_signalled, &until) != 0) {
      if (errno == EINTR) continue;
      return std::nullopt;
    }
    if (const auto signal = Take()) return signal;
  }
}

bool ServeSignals::IsAskedToStop() const { return g_stops > 0; }

}  // namespace switchyard::cli
