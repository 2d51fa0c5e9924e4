// What those who asked felt of late: whether they got an answer, how long until its first token,
// the longest gap between two, and how often it moved. For `switchyard fleet top` and for drills.
// Bounded: the oldest are forgotten. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace switchyard::gateway {

enum class Outcome : std::uint8_t {
  kWhole,      // the whole answer, as if nothing had happened
  kRefused,    // nobody could or might take it; the client was told before any token
  kBroken,     // it ended with an error behind some tokens, or with a failure of a member
  kCancelled,  // the client left
};

struct FeltRequest {
  Outcome outcome = Outcome::kWhole;
  std::int32_t moves = 0;  // from one member to another, with tokens in the client's hands
  std::int64_t tokens = 0;
  double first_token_ms = 0;
  double longest_gap_ms = 0;  // between two tokens, hand-overs included
};

// Of the requests that ended in a span of time.
struct FeltReport {
  std::int64_t requests = 0;
  std::int64_t whole = 0;
  std::int64_t refused = 0;
  std::int64_t broken = 0;
  std::int64_t cancelled = 0;
  std::int64_t moved = 0;  // whole, and moved at least once
  std::int64_t tokens = 0;
  // Of whole answers; nearest rank.
  double first_token_p50_ms = 0;
  double first_token_p99_ms = 0;
  double gap_p50_ms = 0;
  double gap_p99_ms = 0;
  double gap_most_ms = 0;
};

class FeltLog {
 public:
  explicit FeltLog(std::size_t requests) : most_(requests) {}

  void Add(const FeltRequest& request, double now_s);
  // From `from_s` on, before `to_s`; seconds of the clock that Add is given.
  FeltReport Report(double from_s, double to_s) const;

 private:
  struct Ended {
    double at_s = 0;
    FeltRequest request;
  };
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::vector<Ended> ring_;  // guarded by `mutex_`
  std::size_t next_ = 0;     // likewise
};

}  // namespace switchyard::gateway
