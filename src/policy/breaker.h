// Whether a member that failed gets requests: closed, it gets them; open, none; half open, a few on
// trial, which close it again or open it for longer.
//
// Pure: the time comes from the caller, in seconds of a clock that does not go back. One owner, one
// thread.
#pragma once

#include <cstdint>

namespace switchyard::policy {

struct BreakerLimits {
  std::int64_t failures = 5;  // in a row open it
  // So does this share of all that ended of late, if at least twice `failures` of them failed.
  double share = 0.5;
  double window_s = 10;  // "of late"
  double open_s = 2;     // the first time; twice as long after each trial that failed
  double longest_s = 60;
  std::int64_t trials = 1;     // at once while half open
  std::int64_t successes = 2;  // of trials, in a row, close it
  friend bool operator==(const BreakerLimits&, const BreakerLimits&) = default;
};

enum class BreakerState : std::uint8_t { kClosed, kOpen, kHalfOpen };

// kCancelled is nobody's fault: the client left, or another member was faster.
enum class AttemptEnd : std::uint8_t { kSucceeded, kFailed, kCancelled };

class Breaker {
 public:
  // What a request holds from its begin to its end.
  struct Pass {
    std::uint64_t era = 0;
  };

  explicit Breaker(const BreakerLimits& limits) : limits_(limits) {}

  void SetLimits(const BreakerLimits& limits) { limits_ = limits; }
  BreakerState StateAt(double now_s) const;
  // May a request begin?
  bool Admits(double now_s) const;
  // Until Admits might be true; 0 if it is or if only a trial's end is awaited.
  double WaitFor(double now_s) const;

  // A request begins, whether admitted or not: where all are closed one may be better than none.
  Pass Begin(double now_s);
  // Each pass once. What began before the breaker last changed says nothing about it any more.
  void End(Pass pass, AttemptEnd end, double now_s);
  // The caller has reason to think that it works again: half open now, if it was open.
  void TryNow();
  // Opens, for a reason of the caller's, such as that the member has become slow.
  void Open(double now_s);

 private:
  void Enter(BreakerState state);
  void Decay(double now_s);
  void Succeeded();
  void Failed(double now_s);

  BreakerLimits limits_;
  // kOpen turns into kHalfOpen by time alone; see StateAt.
  BreakerState state_ = BreakerState::kClosed;
  std::uint64_t era_ = 0;
  std::int64_t in_a_row_ = 0;  // failures while closed, successes while half open
  std::int64_t on_trial_ = 0;
  double opened_s_ = 0;
  double open_for_s_ = 0;   // this time
  double next_open_s_ = 0;  // next time; 0: limits_.open_s
  double counted_s_ = 0;
  double succeeded_ = 0;  // of late
  double failed_ = 0;
};

}  // namespace switchyard::policy
