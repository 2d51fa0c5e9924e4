// When a second member is asked beside one that is slow to say its first token: after a fixed time,
// or after one that few first tokens took of late. Bounded by a share of the requests, so that a
// fleet which is slow under its load does not get twice of it.
//
// Pure: times come from the caller, in seconds of a clock that does not go back. One owner, one
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/retry_budget.h"

namespace switchyard::policy {

struct HedgeLimits {
  bool is_on = false;
  double delay_ms = 0;       // 0: by `percentile`
  double percentile = 0.95;  // of the first tokens of late; as soon as there are enough of them
  double share = 0.05;       // of the requests, at most
  friend bool operator==(const HedgeLimits&, const HedgeLimits&) = default;
};

class HedgePolicy {
 public:
  static constexpr std::size_t kSamples = 256;    // that are remembered for each model
  static constexpr std::size_t kFewSamples = 20;  // fewer say nothing of what is slow

  HedgePolicy(const HedgeLimits& limits, double now_s);

  void SetLimits(const HedgeLimits& limits);
  // A request came.
  void Request(double now_s);
  // How long a member took for its first token; or how long it had taken when it was cancelled for
  // another one's, since leaving those out would make the slow look rare.
  void FirstToken(std::string_view model, double ms);
  // After how long without a first token a second member is asked; nullopt: not at all.
  std::optional<double> DelayMs(std::string_view model) const;
  // May one be asked now? It is then counted.
  bool Hedge(double now_s);

 private:
  struct Window {
    std::vector<double> ms;
    std::size_t next = 0;  // the oldest, once it is full
  };
  HedgeLimits limits_;
  RetryBudget budget_;
  std::map<std::string, Window, std::less<>> windows_;  // by model
};

}  // namespace switchyard::policy
