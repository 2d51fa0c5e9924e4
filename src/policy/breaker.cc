#include "policy/breaker.h"

#include <algorithm>
#include <cmath>

namespace switchyard::policy {

BreakerState Breaker::StateAt(double now_s) const {
  const bool is_over = state_ == BreakerState::kOpen && now_s >= opened_s_ + open_for_s_;
  return is_over ? BreakerState::kHalfOpen : state_;
}

bool Breaker::Admits(double now_s) const {
  switch (StateAt(now_s)) {
    case BreakerState::kClosed:
      return true;
    case BreakerState::kOpen:
      return false;
    case BreakerState::kHalfOpen:
      return on_trial_ < limits_.trials;
  }
  return false;
}

double Breaker::WaitFor(double now_s) const {
  return StateAt(now_s) == BreakerState::kOpen ? opened_s_ + open_for_s_ - now_s : 0;
}

void Breaker::Enter(BreakerState state) {
  state_ = state;
  ++era_;
  in_a_row_ = 0;
  on_trial_ = 0;
  succeeded_ = 0;
  failed_ = 0;
}

void Breaker::Decay(double now_s) {
  const double kept = std::exp(-std::max(0.0, now_s - counted_s_) / limits_.window_s);
  succeeded_ *= kept;
  failed_ *= kept;
  counted_s_ = std::max(counted_s_, now_s);
}

Breaker::Pass Breaker::Begin(double now_s) {
  if (state_ == BreakerState::kOpen && StateAt(now_s) == BreakerState::kHalfOpen) {
    Enter(BreakerState::kHalfOpen);
  }
  if (state_ == BreakerState::kHalfOpen) ++on_trial_;
  return {era_};
}

void Breaker::End(Pass pass, AttemptEnd end, double now_s) {
  if (pass.era != era_) return;
  if (state_ == BreakerState::kHalfOpen) --on_trial_;
  Decay(now_s);
  if (end == AttemptEnd::kSucceeded) Succeeded();
  if (end == AttemptEnd::kFailed) Failed(now_s);
}

void Breaker::Succeeded() {
  succeeded_ += 1;
  if (state_ == BreakerState::kClosed) {
    in_a_row_ = 0;
  } else if (state_ == BreakerState::kHalfOpen && ++in_a_row_ >= limits_.successes) {
    Enter(BreakerState::kClosed);
    next_open_s_ = 0;
  }
}

void Breaker::Failed(double now_s) {
  if (state_ == BreakerState::kHalfOpen) return Open(now_s);
  if (state_ == BreakerState::kOpen) return;  // a request that nothing admitted
  failed_ += 1;
  const bool is_share = failed_ >= 2 * static_cast<double>(limits_.failures) &&
                        failed_ >= limits_.share * (failed_ + succeeded_);
  if (++in_a_row_ >= limits_.failures || is_share) Open(now_s);
}

void Breaker::TryNow() {
  if (state_ == BreakerState::kOpen) Enter(BreakerState::kHalfOpen);
}

void Breaker::Open(double now_s) {
  open_for_s_ = next_open_s_ > 0 ? next_open_s_ : limits_.open_s;
  next_open_s_ = std::min(2 * open_for_s_, std::max(limits_.longest_s, limits_.open_s));
  Enter(BreakerState::kOpen);
  opened_s_ = now_s;
}

}  // namespace switchyard::policy
