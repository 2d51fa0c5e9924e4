// What the gateway counts, for Prometheus. Any thread; no locks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/histogram.h"
#include "gateway/attempt.h"
#include "gateway/member_state.h"

namespace switchyard::gateway {

// What became of asking a second member.
enum class HedgeEnd : std::uint8_t {
  kWon,       // it was first, or the first one failed
  kLost,      // it was slower
  kFailed,    // it failed
  kDropped,   // nobody wanted the answer any more, or it was refused
  kNobody,    // there was none to ask
  kNoBudget,  // enough requests were hedged
};
constexpr auto kHedgeEnds = static_cast<std::size_t>(HedgeEnd::kNoBudget) + 1;

class GatewayMetrics {
 public:
  GatewayMetrics();

  void CountEnd(int status);  // of a request; 499: the client left
  void CountHandOver(HandOverLevel level, FailureCause cause);
  void CountHedge(HedgeEnd end) {
    hedges_[static_cast<std::size_t>(end)].fetch_add(1, std::memory_order_relaxed);
  }
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
  std::array<Counter, kHedgeEnds> hedges_ = {};
  Counter attempts_ = 0;
  Counter skipped_chunks_ = 0;
  Counter interrupted_ = 0;
  std::atomic<std::int64_t> in_flight_ = 0;
};

}  // namespace switchyard::gateway
