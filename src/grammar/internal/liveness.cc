#include "grammar/internal/liveness.h"

#include <utility>

namespace switchyard::grammar::internal {
namespace {

struct Caller {
  StateId state = 0;
  RuleId rule = 0;
  StateId target = 0;
};

class Marking {
 public:
  Marking(const Automaton& automaton, bool reading)
      : automaton_(automaton),
        readers_(automaton.state_count()),
        callers_into_(automaton.state_count()),
        rules_starting_at_(automaton.state_count()) {
    result_.states.resize(automaton.state_count());
    result_.rules.resize(automaton.rule_count());
    callers_of_.resize(automaton.rule_count());
    for (RuleId rule = 0; rule < automaton.rule_count(); ++rule) {
      rules_starting_at_[automaton.start(rule)].push_back(rule);
    }
    for (StateId state = 0; state < automaton.state_count(); ++state) {
      if (reading) {
        for (const ByteEdge& edge : automaton.bytes(state)) readers_[edge.target].push_back(state);
      }
      for (const CallEdge& edge : automaton.calls(state)) {
        callers_into_[edge.target].push_back({state, edge.rule, edge.target});
        callers_of_[edge.rule].push_back({state, edge.rule, edge.target});
      }
    }
  }

  Liveness Run() {
    for (StateId state = 0; state < automaton_.state_count(); ++state) {
      if (automaton_.accepts(state)) Mark(state);
    }
    while (!pending_.empty()) {
      const StateId state = pending_.back();
      pending_.pop_back();
      for (const StateId reader : readers_[state]) Mark(reader);
      for (const Caller& caller : callers_into_[state]) {
        if (result_.rules[caller.rule]) Mark(caller.state);
      }
      for (const RuleId rule : rules_starting_at_[state]) {
        result_.rules[rule] = true;
        for (const Caller& caller : callers_of_[rule]) {
          if (result_.states[caller.target]) Mark(caller.state);
        }
      }
    }
    return std::move(result_);
  }

 private:
  void Mark(StateId state) {
    if (result_.states[state]) return;
    result_.states[state] = true;
    pending_.push_back(state);
  }

  const Automaton& automaton_;
  std::vector<std::vector<StateId>> readers_;
  std::vector<std::vector<Caller>> callers_into_;
  std::vector<std::vector<Caller>> callers_of_;
  std::vector<std::vector<RuleId>> rules_starting_at_;
  std::vector<StateId> pending_;
  Liveness result_;
};

}  // namespace

Liveness FindLive(const Automaton& automaton, bool reading) {
  return Marking(automaton, reading).Run();
}

std::optional<RuleId> FindCycle(const std::vector<std::vector<RuleId>>& successors) {
  enum class Colour : std::uint8_t { kNew, kOpen, kDone };
  std::vector<Colour> colours(successors.size(), Colour::kNew);
  std::vector<std::pair<RuleId, std::size_t>> path;  // a node, and its next successor
  for (RuleId root = 0; root < successors.size(); ++root) {
    if (colours[root] != Colour::kNew) continue;
    path.emplace_back(root, 0);
    colours[root] = Colour::kOpen;
    while (!path.empty()) {
      auto& [node, next] = path.back();
      if (next == successors[node].size()) {
        colours[node] = Colour::kDone;
        path.pop_back();
        continue;
      }
      const RuleId successor = successors[node][next++];
      if (colours[successor] == Colour::kOpen) return successor;
      if (colours[successor] == Colour::kDone) continue;
      colours[successor] = Colour::kOpen;
      path.emplace_back(successor, 0);
    }
  }
  return std::nullopt;
}

}  // namespace switchyard::grammar::internal
