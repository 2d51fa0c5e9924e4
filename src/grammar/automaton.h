// A grammar as a recursive transition network: each rule a small automaton over bytes, whose edges
// read a byte or call a rule (Woods 1970). Immutable; any thread.
//
// What no finite text completes is cut away, so every state that is reached can reach an end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "grammar/grammar.h"

namespace switchyard::grammar {

using StateId = std::uint32_t;

struct ByteEdge {
  std::uint8_t low = 0;
  std::uint8_t high = 0;  // included
  StateId target = 0;
};

struct CallEdge {
  RuleId rule = 0;
  StateId target = 0;  // where to go on when the rule is through
};

struct AutomatonLimits {
  // Enough for JSON schemas of thousands of properties; reached in about a tenth of a second.
  std::size_t states = 300'000;
  std::size_t steps = 60'000'000;
};

class Automaton {
 public:
  // kInvalidArgument: too large, or left-recursive, or no text fits; the sentence says which rule.
  static base::Result<Automaton> Build(const Grammar& grammar, const AutomatonLimits& limits = {});

  StateId start() const { return start_; }
  StateId start(RuleId rule) const { return rule_starts_[rule]; }
  std::span<const ByteEdge> bytes(StateId state) const {
    return std::span(bytes_).subspan(states_[state].bytes,
                                     states_[state + 1].bytes - states_[state].bytes);
  }
  std::span<const CallEdge> calls(StateId state) const {
    return std::span(calls_).subspan(states_[state].calls,
                                     states_[state + 1].calls - states_[state].calls);
  }
  // Whether the rule may end here.
  bool accepts(StateId state) const { return states_[state].accepts; }
  // Whether it must.
  bool is_final(StateId state) const {
    return accepts(state) && bytes(state).empty() && calls(state).empty();
  }
  std::size_t state_count() const { return states_.size() - 1; }
  std::size_t rule_count() const { return rule_starts_.size(); }
  // Bytes that no edge tells apart share a class.
  std::span<const std::uint8_t, 256> byte_classes() const { return byte_classes_; }
  std::size_t class_count() const { return class_count_; }

 private:
  struct State {
    std::uint32_t bytes = 0;  // the first of its edges; the last ends where the next state's begin
    std::uint32_t calls = 0;
    bool accepts = false;
  };
  friend class AutomatonBuilder;

  StateId start_ = 0;
  std::vector<StateId> rule_starts_;
  std::vector<State> states_ = {State{}};  // and one behind the last
  std::vector<ByteEdge> bytes_;
  std::vector<CallEdge> calls_;
  std::array<std::uint8_t, 256> byte_classes_ = {};
  std::size_t class_count_ = 1;
};

}  // namespace switchyard::grammar
