// What the gateway counts, for Prometheus. Any thread; no locks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "base/histogram.h"
#include "gateway/fleet.h"

namespace switchyard::gateway {

class GatewayMetrics {
 public:
  GatewayMetrics();

  void CountEnd(int status);  // of a request; 499: the client left
  void CountHandOver(HandOverLevel level, FailureCause cause);
  void CountAttempt() { attempts_.fetch_add(1, std::memory_order_relaxed); }
  void CountSkippedChunk() { skipped_chunks_.fetch_add(1, std::memory_order_relaxed); }
  void CountInterrupted() { interrupted_.fetch_add(1, std::memory_order_relaxed); }
  void Enter() { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  void Leave() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  std::int64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

  base::Histogram time_to_first_token_s;
  base::Histogram request_s;
  base::Histogram hand_over_s;  // from a failure to the next token

  std::string Render() const;

 private:
  using Counter = std::atomic<std::uint64_t>;
  static constexpr std::size_t kLevels = 4;
  std::array<Counter, 600> ends_ = {};  // by status
  std::array<std::array<Counter, kFailureCauses>, kLevels> hand_overs_ = {};
  Counter attempts_ = 0;
  Counter skipped_chunks_ = 0;
  Counter interrupted_ = 0;
  std::atomic<std::int64_t> in_flight_ = 0;
};

}  // namespace switchyard::gateway
