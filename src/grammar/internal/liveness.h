// Questions about a whole transition network: what can come to an end, and what can go in circles.
// Pure functions.
#pragma once

#include <optional>
#include <vector>

#include "grammar/automaton.h"

namespace switchyard::grammar::internal {

struct Liveness {
  std::vector<bool> states;
  std::vector<bool> rules;
};

// Which states can reach the end of their rule, and which rules their end; without reading anything
// if not `reading`.
Liveness FindLive(const Automaton& automaton, bool reading);

// A node that lies on a cycle, if any does.
std::optional<RuleId> FindCycle(const std::vector<std::vector<RuleId>>& successors);

}  // namespace switchyard::grammar::internal
