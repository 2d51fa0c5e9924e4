// Why each of the last requests ran where it did, for `switchyard fleet explain`. Bounded: the
// oldest are forgotten. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
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

  // What Fleet::Route was given and returned; of fleets with many members the first are told.
  void Add(std::string_view id, std::string_view occasion, const policy::RouteRequest& request,
           const Routed& routed);
  // What became of the last step: `member` answers, and why. Only behind one that was added.
  void Note(std::string_view id, std::string_view occasion, std::string_view member,
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

  const std::size_t most_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<Request>> by_age_;  // with `by_id_`; guarded by `mutex_`
  std::unordered_map<std::string_view, std::shared_ptr<Request>> by_id_;  // likewise
};

}  // namespace switchyard::gateway
