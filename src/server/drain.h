// Whether a server takes work, and how long what runs may go on before it is given back. A gateway
// begins it and ends it again; the process begins it for good when it is to stop. Any thread.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>

namespace switchyard::server {

class Drain {
 public:
  using Clock = std::chrono::steady_clock;
  struct Phase {
    bool is_on = false;
    bool is_final = false;                            // the process stops
    std::optional<Clock::time_point> give_back = {};  // none: what runs may take its time
  };

  Phase phase() const {
    const std::lock_guard lock(mutex_);
    return phase_;
  }
  bool is_on() const { return phase().is_on; }

  // Both return false, and change nothing, when the process stops. To begin again changes the time.
  bool Begin(std::optional<Clock::time_point> give_back) {
    return Set({.is_on = true, .give_back = give_back});
  }
  bool End() { return Set({}); }
  void BeginFinal(Clock::time_point give_back) {
    Set({.is_on = true, .is_final = true, .give_back = give_back});
  }

 private:
  bool Set(const Phase& phase) {
    const std::lock_guard lock(mutex_);
    if (phase_.is_final) return false;
    phase_ = phase;
    return true;
  }

  mutable std::mutex mutex_;
  Phase phase_;
};

}  // namespace switchyard::server
