// Why each of the last requests ran where it did, for `switchyard fleet explain`. Bounded: the
// oldest are forgotten. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/fleet.h"

namespace switchyard::gateway {

struct DecisionStep {
  std::string time = {};              // RFC 3339, UTC
  std::string occasion = {};          // "begin", "hand-over after stall behind 17 tokens"
  std::string member = {};            // that was chosen; empty: none was
  std::vector<std::string> why = {};  // a sentence for each member, the chosen one first
};

struct RequestDecisions {
  std::string request = {};  // its id
  std::string model = {};
  std::string tenant = {};
  std::vector<DecisionStep> steps = {};
};

class DecisionLog {
 public:
  explicit DecisionLog(std::size_t requests) : most_(requests) {}

  // A request's first decision: what Fleet::Route was given and returned; of fleets with many
  // members the first are told. Returns the number under which more is told of it.
  std::uint64_t Begin(std::string_view id, std::string_view occasion,
                      const policy::RouteRequest& request, const Routed& routed);
  void Add(std::uint64_t number, std::string_view occasion, const Routed& routed);
  // What became of the last step: `member` answers, and why.
  void Note(std::uint64_t number, std::string_view occasion, std::string_view member,
            std::vector<std::string> why);
  std::optional<RequestDecisions> Find(std::string_view id) const;

 private:
  // As it is kept: sentences are made for who asks.
  struct Step {
    std::chrono::system_clock::time_point time;
    std::string occasion;
    std::vector<Finding> findings;
    // Of a note, instead of findings.
    std::string member = {};
    std::vector<std::string> why = {};
  };
  struct Request {
    std::string id;
    std::string model;
    std::string tenant;
    std::vector<Step> steps;
  };

  void AddStep(std::uint64_t number, Step step);

  const std::size_t most_;
  mutable std::mutex mutex_;
  std::vector<Request> ring_;  // by their numbers; guarded by `mutex_`
  std::uint64_t begun_ = 0;    // likewise
};

}  // namespace switchyard::gateway
