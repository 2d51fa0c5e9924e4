#include "grammar/internal/configurations.h"

#include <algorithm>

namespace switchyard::grammar::internal {
namespace {

constexpr std::size_t kMostVisits = 4 * kMostThreads;
// Of one configuration. Calls lead to visits, unless a grammar is made to have many that do not.
constexpr std::size_t kMostCalls = 64 * kMostVisits;
constexpr std::size_t kEdgesOfVisit = 8;  // that cost as much to look at

}  // namespace

Configurations::Configurations(const Automaton& automaton)
    : automaton_(&automaton),
      byte_classes_(automaton.byte_classes().begin(), automaton.byte_classes().end()),
      classes_(automaton.class_count()) {
  stacks_ = {{.depth = 0}, {.depth = 0}};
  Gathered();  // kDead
}

ConfigId Configurations::Make(StateId state, StackId stack) {
  Follow(state, stack);
  return Gathered();
}

ConfigId Configurations::AfterReturn(StackId stack) {
  if (stack == kWholeText || stack == kAnyCaller) return kDead;
  return Make(stacks_[stack].state, stacks_[stack].above);
}

ConfigId Configurations::MakeStep(ConfigId config, std::uint8_t byte) {
  const Entry entry = entries_[config];
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    const Thread thread = threads_[entry.first + i];
    work_ += automaton_->bytes(thread.state).size() / kEdgesOfVisit;
    for (const ByteEdge& edge : automaton_->bytes(thread.state)) {
      if (edge.low <= byte && byte <= edge.high) Follow(edge.target, thread.stack);
    }
  }
  const ConfigId next = Gathered();
  steps_[config * classes_ + byte_classes_[byte]] = next;
  return next;
}

// Depth first with a list of what is open, since a chain of calls may be long.
void Configurations::Follow(StateId state, StackId stack) {
  std::vector<Thread> open = {{state, stack}};
  while (!open.empty() && !is_overfull_) {
    const Thread at = open.back();
    open.pop_back();
    if (std::ranges::find(visited_, at) != visited_.end()) continue;
    const auto calls = automaton_->calls(at.state);
    // What the look above costs, and the calls below.
    work_ += 1 + (visited_.size() + calls.size()) / kEdgesOfVisit;
    visited_.push_back(at);
    if (!automaton_->bytes(at.state).empty()) gathered_.push_back(at);
    followed_calls_ += calls.size();
    if (followed_calls_ > kMostCalls) {
      is_overfull_ = true;
      break;
    }
    for (const CallEdge& call : calls) {
      // Whoever has nothing more to say need not be returned to.
      const bool returns = !automaton_->is_final(call.target);
      if (returns && stacks_[at.stack].depth >= kMostDepth) continue;
      const StackId above = returns ? Push(call.target, at.stack) : at.stack;
      open.push_back({automaton_->start(call.rule), above});
    }
    if (automaton_->accepts(at.state)) {
      if (at.stack == kWholeText) {
        is_complete_ = true;
      } else if (at.stack == kAnyCaller) {
        returns_ = true;
      } else {
        open.push_back({stacks_[at.stack].state, stacks_[at.stack].above});
      }
    }
    is_overfull_ = gathered_.size() > kMostThreads || visited_.size() > kMostVisits;
  }
}

StackId Configurations::Push(StateId state, StackId above) {
  const std::uint64_t key = std::uint64_t{state} << 32U | above;
  const auto next = static_cast<StackId>(stacks_.size());
  const auto [at, is_new] = known_stacks_.try_emplace(key, next);
  if (is_new) stacks_.push_back({state, above, stacks_[above].depth + 1});
  return at->second;
}

ConfigId Configurations::Gathered() {
  if (is_overfull_) {
    gathered_.clear();
    is_complete_ = returns_ = false;
  }
  std::ranges::sort(gathered_);
  std::string key(reinterpret_cast<const char*>(gathered_.data()),
                  gathered_.size() * sizeof(Thread));
  key += static_cast<char>((is_complete_ ? 1 : 0) | (returns_ ? 2 : 0));
  const auto next = static_cast<ConfigId>(entries_.size());
  auto at = known_.find(std::string_view(key));
  if (at == known_.end()) {
    at = known_.emplace(std::move(key), next).first;
    entries_.push_back({static_cast<std::uint32_t>(threads_.size()),
                        static_cast<std::uint32_t>(gathered_.size()), is_complete_, returns_});
    threads_.insert(threads_.end(), gathered_.begin(), gathered_.end());
    steps_.resize(steps_.size() + classes_, gathered_.empty() ? kDead : kUnknown);
  }
  visited_.clear();
  followed_calls_ = 0;
  gathered_.clear();
  is_complete_ = returns_ = is_overfull_ = false;
  return at->second;
}

std::vector<StateId> Configurations::Unwind(StackId stack) const {
  std::vector<StateId> states;
  for (; stack != kWholeText && stack != kAnyCaller; stack = stacks_[stack].above) {
    states.push_back(stacks_[stack].state);
  }
  return states;
}

ConfigId Configurations::Adopt(const Configurations& other, ConfigId config) {
  for (const Thread& thread : other.threads(config)) {
    const std::vector<StateId> states = other.Unwind(thread.stack);
    StackId stack = kWholeText;
    for (std::size_t i = states.size(); i-- > 0;) stack = Push(states[i], stack);
    gathered_.push_back({thread.state, stack});
  }
  is_complete_ = other.is_complete(config);
  return Gathered();
}

std::size_t Configurations::size_bytes() const {
  constexpr std::size_t kNode = 64;  // of a hash map, about
  return entries_.size() * (sizeof(Entry) + kNode) + threads_.size() * 2 * sizeof(Thread) +
         steps_.size() * sizeof(std::uint32_t) + stacks_.size() * (sizeof(Stack) + kNode);
}

}  // namespace switchyard::grammar::internal
