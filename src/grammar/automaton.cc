#include "grammar/automaton.h"

#include <algorithm>
#include <map>
#include <utility>

#include "grammar/internal/liveness.h"
#include "grammar/internal/nfa.h"

namespace switchyard::grammar {
namespace {

using base::ErrorCode;
using base::Fail;
using internal::Nfa;

constexpr std::size_t kStepsOfState = 8;  // what making a state of an Nfa costs

// Where ranges of bytes begin, and where they are over.
using Borders = std::array<bool, 257>;

template <typename Edge>
void MarkBorders(const Edge& edge, Borders& borders) {
  borders[edge.low] = true;
  borders[edge.high + std::size_t{1}] = true;
}

}  // namespace

// Turns one rule after another into states, each a set of states of the rule's Nfa.
class AutomatonBuilder {
 public:
  AutomatonBuilder(const Grammar& grammar, const AutomatonLimits& limits)
      : grammar_(grammar), limits_(limits), inlined_(grammar) {}

  base::Result<Automaton> Build() {
    for (const Grammar::RuleBody& rule : grammar_.rules()) {
      SWITCHYARD_TRY(const StateId start, AddRule(rule.name, rule.body));
      result_.rule_starts_.push_back(start);
    }
    SWITCHYARD_TRY(result_.start_, AddRule("root", grammar_.root()));
    result_.states_.back().bytes = static_cast<std::uint32_t>(result_.bytes_.size());
    result_.states_.back().calls = static_cast<std::uint32_t>(result_.calls_.size());
    SWITCHYARD_RETURN_IF_ERROR(CutDeadEnds());
    SWITCHYARD_RETURN_IF_ERROR(RefuseLeftRecursion());
    FindByteClasses();
    return std::move(result_);
  }

 private:
  using Set = std::vector<std::uint32_t>;

  std::unexpected<base::Error> TooLarge(const std::string& rule) const {
    return Fail(ErrorCode::kInvalidArgument,
                "the rule '{}' makes the grammar too large (more than {} states): use smaller "
                "counts in repetitions, or fewer and shorter rules",
                rule, limits_.states);
  }

  base::Result<StateId> AddRule(const std::string& name, ExprId body) {
    const std::size_t states = result_.states_.size() - 1;
    if (states >= limits_.states ||
        !nfa_.Build(grammar_, inlined_, body, limits_.states - states)) {
      return TooLarge(name);
    }
    // Also of those that nothing leads to, which Merge never meets.
    steps_ += kStepsOfState * nfa_.states.size();
    // A rule's states are merged into sets, where texts begin alike; should the sets be many more
    // than the states, as they can be, each set is made of one state and the matcher follows many.
    const auto saved =
        std::tuple(result_.states_.size(), result_.bytes_.size(), result_.calls_.size());
    const std::size_t allowed = steps_ + 200 * nfa_.states.size() + 20'000;
    if (Merge(/*together=*/true, std::min(limits_.states, states + 4 * nfa_.states.size() + 64),
              std::min(allowed, limits_.steps))) {
      return static_cast<StateId>(states);
    }
    result_.states_.resize(std::get<0>(saved));
    result_.bytes_.resize(std::get<1>(saved));
    result_.calls_.resize(std::get<2>(saved));
    if (!Merge(/*together=*/false, limits_.states, limits_.steps)) return TooLarge(name);
    return static_cast<StateId>(states);
  }

  // The subset construction of `nfa_`. False: a limit is reached.
  bool Merge(bool together, std::size_t most_states, std::size_t most_steps) {
    known_.clear();
    pending_.clear();
    base_ = static_cast<StateId>(result_.states_.size() - 1);
    seen_.assign(nfa_.states.size(), 0);
    stamp_ = 0;
    StateOf(Closure({0}));
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      if (base_ + pending_.size() > most_states || steps_ > most_steps) return false;
      if (result_.bytes_.size() + result_.calls_.size() > 8 * limits_.states) return false;
      const Set set = *pending_[i];
      Expand(set, together);
    }
    return true;
  }

  // All states that can be reached from `set` without reading, in order.
  Set Closure(Set set) {
    ++stamp_;
    for (const std::uint32_t state : set) seen_[state] = stamp_;
    for (std::size_t i = 0; i < set.size(); ++i) {
      for (const Nfa::Edge& edge : nfa_.states[set[i]]) {
        ++steps_;
        if (edge.kind != Nfa::Edge::Kind::kNothing || seen_[edge.target] == stamp_) continue;
        seen_[edge.target] = stamp_;
        set.push_back(edge.target);
      }
    }
    // What only leads elsewhere says nothing.
    std::erase_if(set, [this](std::uint32_t state) {
      return state != 1 && std::ranges::all_of(nfa_.states[state], [](const Nfa::Edge& edge) {
               return edge.kind == Nfa::Edge::Kind::kNothing;
             });
    });
    std::ranges::sort(set);
    steps_ += set.size();
    return set;
  }

  StateId StateOf(Set set) {
    const auto id = static_cast<StateId>(base_ + pending_.size());
    const auto [at, is_new] = known_.try_emplace(std::move(set), id);
    if (is_new) pending_.push_back(&at->first);
    return at->second;
  }

  void Expand(const Set& set, bool together) {
    Automaton::State& state = result_.states_.back();
    state.bytes = static_cast<std::uint32_t>(result_.bytes_.size());
    state.calls = static_cast<std::uint32_t>(result_.calls_.size());
    state.accepts = std::ranges::binary_search(set, 1U);
    result_.states_.emplace_back();

    std::vector<Nfa::Edge> bytes;
    std::map<RuleId, Set> calls;
    for (const std::uint32_t member : set) {
      for (const Nfa::Edge& edge : nfa_.states[member]) {
        ++steps_;
        if (edge.kind == Nfa::Edge::Kind::kByte) bytes.push_back(edge);
        if (edge.kind == Nfa::Edge::Kind::kCall) calls[edge.rule].push_back(edge.target);
      }
    }
    if (together) {
      AddBytesTogether(bytes);
    } else {
      for (const Nfa::Edge& edge : bytes) {
        result_.bytes_.push_back({edge.low, edge.high, StateOf(Closure({edge.target}))});
      }
    }
    for (auto& [rule, targets] : calls) {
      std::ranges::sort(targets);
      targets.erase(std::ranges::unique(targets).begin(), targets.end());
      if (together) {
        result_.calls_.push_back({rule, StateOf(Closure(targets))});
        continue;
      }
      for (const std::uint32_t target : targets) {
        result_.calls_.push_back({rule, StateOf(Closure({target}))});
      }
    }
  }

  void AddBytesTogether(const std::vector<Nfa::Edge>& edges) {
    Borders borders = {};
    for (const Nfa::Edge& edge : edges) MarkBorders(edge, borders);
    const auto first = result_.bytes_.size();
    for (std::size_t low = 0; low < 256;) {
      std::size_t high = low;
      while (high + 1 < 256 && !borders[high + 1]) ++high;
      Set targets;
      for (const Nfa::Edge& edge : edges) {
        ++steps_;
        if (edge.low <= low && low <= edge.high) targets.push_back(edge.target);
      }
      if (!targets.empty()) {
        std::ranges::sort(targets);
        targets.erase(std::ranges::unique(targets).begin(), targets.end());
        const StateId target = StateOf(Closure(std::move(targets)));
        auto& all = result_.bytes_;
        if (all.size() > first && all.back().target == target && all.back().high + 1U == low) {
          all.back().high = static_cast<std::uint8_t>(high);
        } else {
          all.push_back({static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high), target});
        }
      }
      low = high + 1;
    }
  }

  base::Status CutDeadEnds() {
    const internal::Liveness alive = internal::FindLive(result_, /*reading=*/true);
    if (!alive.states[result_.start_]) {
      return Fail(ErrorCode::kInvalidArgument,
                  "no text fits the grammar: its rules never come to an end");
    }
    std::vector<ByteEdge> bytes;
    std::vector<CallEdge> calls;
    for (StateId state = 0; state + 1 < result_.states_.size(); ++state) {
      const auto first_byte = static_cast<std::uint32_t>(bytes.size());
      const auto first_call = static_cast<std::uint32_t>(calls.size());
      for (const ByteEdge& edge : result_.bytes(state)) {
        if (alive.states[edge.target]) bytes.push_back(edge);
      }
      for (const CallEdge& edge : result_.calls(state)) {
        if (alive.rules[edge.rule] && alive.states[edge.target]) calls.push_back(edge);
      }
      cut_.push_back({first_byte, first_call, result_.states_[state].accepts});
    }
    cut_.push_back({static_cast<std::uint32_t>(bytes.size()),
                    static_cast<std::uint32_t>(calls.size()), false});
    result_.states_ = std::move(cut_);
    result_.bytes_ = std::move(bytes);
    result_.calls_ = std::move(calls);
    return {};
  }

  // A rule that calls itself before it has read anything would be called without end.
  base::Status RefuseLeftRecursion() {
    const internal::Liveness empty = internal::FindLive(result_, /*reading=*/false);
    std::vector<std::vector<RuleId>> begins_with(result_.rule_starts_.size());
    std::vector<bool> seen(result_.state_count());  // no state is of two rules
    for (RuleId rule = 0; rule < begins_with.size(); ++rule) {
      std::vector<StateId> states = {result_.rule_starts_[rule]};
      while (!states.empty()) {
        const StateId state = states.back();
        states.pop_back();
        for (const CallEdge& call : result_.calls(state)) {
          begins_with[rule].push_back(call.rule);
          if (!empty.rules[call.rule] || seen[call.target]) continue;
          seen[call.target] = true;
          states.push_back(call.target);
        }
      }
    }
    if (const auto rule = internal::FindCycle(begins_with)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the rule '{}' is left-recursive: it can begin with itself; write it as a "
                  "repetition, such as item (\",\" item)*",
                  grammar_.rules()[*rule].name);
    }
    return {};
  }

  void FindByteClasses() {
    Borders borders = {};
    for (const ByteEdge& edge : result_.bytes_) MarkBorders(edge, borders);
    std::uint8_t current = 0;
    for (std::size_t byte = 1; byte < 256; ++byte) {
      if (borders[byte]) ++current;
      result_.byte_classes_[byte] = current;
    }
    result_.class_count_ = current + std::size_t{1};
  }

  const Grammar& grammar_;
  const AutomatonLimits& limits_;
  const internal::InlineRules inlined_;
  Automaton result_;
  std::vector<Automaton::State> cut_;
  std::size_t steps_ = 0;

  // Of the rule at hand.
  Nfa nfa_;
  StateId base_ = 0;
  std::map<Set, StateId> known_;
  std::vector<const Set*> pending_;  // keys of known_, by id
  std::vector<std::uint32_t> seen_;
  std::uint32_t stamp_ = 0;
};

base::Result<Automaton> Automaton::Build(const Grammar& grammar, const AutomatonLimits& limits) {
  SWITCHYARD_RETURN_IF_ERROR(grammar.CheckBounds());
  return AutomatonBuilder(grammar, limits).Build();
}

}  // namespace switchyard::grammar
