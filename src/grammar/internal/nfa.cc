#include "grammar/internal/nfa.h"

#include <algorithm>

namespace switchyard::grammar::internal {
namespace {

using Edge = Nfa::Edge;

class Builder {
 public:
  Builder(const Grammar& grammar, const InlineRules& inlined, std::size_t most_states, Nfa& nfa)
      : grammar_(grammar), inlined_(inlined), most_states_(most_states), nfa_(nfa) {}

  bool Build(ExprId body) {
    NewState();
    NewState();
    Add(body, 0, 1);
    return !is_exhausted();
  }

 private:
  // Steps are counted beside states: the empty text a million times has no states.
  bool is_exhausted() const { return nfa_.states.size() + steps_ > most_states_; }

  std::uint32_t NewState() {
    nfa_.states.emplace_back();
    return static_cast<std::uint32_t>(nfa_.states.size() - 1);
  }

  void Join(std::uint32_t from, Edge edge) { nfa_.states[from].push_back(edge); }
  void Skip(std::uint32_t from, std::uint32_t to) { Join(from, {.target = to}); }

  void Add(ExprId id, std::uint32_t from, std::uint32_t to) {
    ++steps_;
    if (is_exhausted()) return;
    const Expr& expr = grammar_.expr(id);
    switch (expr.kind) {
      case Expr::Kind::kLiteral:
        return AddLiteral(grammar_.text(expr), from, to);
      case Expr::Kind::kBytes:
        return Join(from,
                    {.kind = Edge::Kind::kByte, .low = expr.low, .high = expr.high, .target = to});
      case Expr::Kind::kSequence: {
        const auto parts = grammar_.children(expr);
        for (std::size_t i = 0; i < parts.size(); ++i) {
          const std::uint32_t next = i + 1 == parts.size() ? to : NewState();
          Add(parts[i], from, next);
          from = next;
        }
        return;
      }
      case Expr::Kind::kChoice:
        for (const ExprId part : grammar_.children(expr)) {
          // A state of its own, so that a loop in one choice does not lead into another.
          const std::uint32_t begin = NewState();
          Skip(from, begin);
          Add(part, begin, to);
        }
        return;
      case Expr::Kind::kRepeat:
        return AddRepeat(expr, from, to);
      case Expr::Kind::kRule:
        if (inlined_.Contains(expr.begin)) {
          return Add(grammar_.rules()[expr.begin].body, from, to);
        }
        return Join(from, {.kind = Edge::Kind::kCall, .rule = expr.begin, .target = to});
    }
  }

  void AddLiteral(std::string_view text, std::uint32_t from, std::uint32_t to) {
    if (text.empty()) return Skip(from, to);
    for (std::size_t i = 0; i < text.size() && !is_exhausted(); ++i) {
      const std::uint32_t next = i + 1 == text.size() ? to : NewState();
      const auto byte = static_cast<std::uint8_t>(text[i]);
      Join(from, {.kind = Edge::Kind::kByte, .low = byte, .high = byte, .target = next});
      from = next;
    }
  }

  void AddRepeat(const Expr& expr, std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t i = 0; i < expr.min && !is_exhausted(); ++i) {
      const std::uint32_t next = NewState();
      Add(expr.begin, from, next);
      from = next;
    }
    if (expr.max == kUnbounded) {
      const std::uint32_t loop = NewState();
      Skip(from, loop);
      Add(expr.begin, loop, loop);
      return Skip(loop, to);
    }
    for (std::uint32_t i = expr.min; i < expr.max && !is_exhausted(); ++i) {
      const std::uint32_t next = NewState();
      Skip(from, to);
      Add(expr.begin, from, next);
      from = next;
    }
    Skip(from, to);
  }

  const Grammar& grammar_;
  const InlineRules& inlined_;
  std::size_t most_states_;
  std::size_t steps_ = 0;
  Nfa& nfa_;
};

}  // namespace

InlineRules::InlineRules(const Grammar& grammar) : costs_(grammar.rules().size(), kNever) {
  for (RuleId rule = 0; rule < grammar.rules().size(); ++rule) {
    costs_[rule] = Cost(grammar, grammar.rules()[rule].body);
  }
}

// Rules within rules are not followed: two levels of calls stay one.
std::uint32_t InlineRules::Cost(const Grammar& grammar, ExprId id) const {
  const Expr& expr = grammar.expr(id);
  switch (expr.kind) {
    case Expr::Kind::kLiteral:
      return expr.end - expr.begin;
    case Expr::Kind::kBytes:
      return 1;
    case Expr::Kind::kRule:
      return kNever;
    case Expr::Kind::kRepeat: {
      if (expr.max == kUnbounded || expr.max > kMostStates) return kNever;
      const std::uint32_t once = Cost(grammar, expr.begin);
      return once > kMostStates ? kNever : once * expr.max;
    }
    case Expr::Kind::kSequence:
    case Expr::Kind::kChoice: {
      std::uint32_t sum = 0;
      for (const ExprId child : grammar.children(expr)) {
        const std::uint32_t cost = Cost(grammar, child);
        if (cost > kMostStates || sum + cost > kMostStates) return kNever;
        sum += cost;
      }
      return sum;
    }
  }
  return kNever;
}

bool Nfa::Build(const Grammar& grammar, const InlineRules& inlined, ExprId body,
                std::size_t most_states) {
  states.clear();
  return Builder(grammar, inlined, most_states, *this).Build(body);
}

}  // namespace switchyard::grammar::internal
