// One rule's body as Thompson's automaton: states joined by edges that read a byte, call a rule or
// read nothing. Lives on the stack of whoever builds an Automaton.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/grammar.h"

namespace switchyard::grammar::internal {

// Rules whose bodies are short and call nothing are written out where they are called: a call has
// its price at every token.
class InlineRules {
 public:
  explicit InlineRules(const Grammar& grammar);
  bool Contains(RuleId rule) const { return costs_[rule] <= kMostStates; }

 private:
  static constexpr std::uint32_t kMostStates = 128;
  static constexpr std::uint32_t kNever = 0xFFFFFFFF;
  std::uint32_t Cost(const Grammar& grammar, ExprId id) const;

  std::vector<std::uint32_t> costs_;
};

struct Nfa {
  struct Edge {
    enum class Kind : std::uint8_t { kNothing, kByte, kCall };
    Kind kind = Kind::kNothing;
    std::uint8_t low = 0;
    std::uint8_t high = 0;
    RuleId rule = 0;
    std::uint32_t target = 0;
  };
  std::vector<std::vector<Edge>> states;  // the first begins, the second ends

  // False: it would take more than `most_states`.
  bool Build(const Grammar& grammar, const InlineRules& inlined, ExprId body,
             std::size_t most_states);
};

}  // namespace switchyard::grammar::internal
