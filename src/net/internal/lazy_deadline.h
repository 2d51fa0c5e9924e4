// When a connection's step at hand must be over. A step that ends in time costs no timer: it runs
// on, and looks what is due when it fires. On the loop's thread.
#pragma once

#include <chrono>

#include "net/internal/loop_types.h"

namespace switchyard::net::internal {

// `Owner` has weak_from_this(), and OnDeadline(), which is called at most once for each Set.
template <typename Owner>
class LazyDeadline {
 public:
  LazyDeadline(const LoopExecutor& executor, Owner& owner) : owner_(owner), timer_(executor) {}

  void Set(std::chrono::milliseconds after) {
    is_set_ = true;
    const auto due = Clock::now() + after;
    const bool is_sooner = due < due_;
    due_ = due;
    if (!is_running_ || is_sooner) Arm();
  }
  void Clear() { is_set_ = false; }
  // Nothing will be set any more.
  void End() {
    is_set_ = false;
    timer_.cancel();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Arm() {
    is_running_ = true;
    timer_.expires_at(due_);
    timer_.async_wait([this, weak = owner_.weak_from_this()](boost::system::error_code error) {
      const auto owner = weak.lock();
      if (owner && error != boost::asio::error::operation_aborted) OnTime();
    });
  }
  void OnTime() {
    is_running_ = false;
    if (!is_set_) return;
    if (Clock::now() < due_) return Arm();
    is_set_ = false;
    owner_.OnDeadline();
  }

  Owner& owner_;
  LoopWait timer_;
  Clock::time_point due_;
  bool is_set_ = false;
  bool is_running_ = false;
};

}  // namespace switchyard::net::internal
