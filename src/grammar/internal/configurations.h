// What a grammar can be in the midst of after some bytes: a configuration is the set of all places
// in its automaton, each with the stack of calls above it. Configurations and the steps between
// them are made when first needed and kept, so that a byte costs a look into a table, as in a lazy
// DFA; equal ones are the same number. Not for many threads at once: whoever owns one locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"

namespace switchyard::grammar::internal {

using ConfigId = std::uint32_t;
using StackId = std::uint32_t;

// The stacks that hold no call: of the whole text, and of a rule whose caller is left open.
inline constexpr StackId kWholeText = 0;
inline constexpr StackId kAnyCaller = 1;

// Nothing fits.
inline constexpr ConfigId kDead = 0;

struct Thread {
  StateId state = 0;  // that reads a byte
  StackId stack = 0;
  auto operator<=>(const Thread&) const = default;
};

// What bounds a text that can be read in many ways, or nests without end: beyond either, a text
// counts as not fitting.
inline constexpr std::size_t kMostThreads = 1024;
inline constexpr std::size_t kMostDepth = 512;

class Configurations {
 public:
  explicit Configurations(const Automaton& automaton);

  ConfigId Start() { return Make(automaton_->start(), kWholeText); }
  // In the midst of a rule, whoever called it.
  ConfigId OfState(StateId state) { return Make(state, kAnyCaller); }
  ConfigId OfThread(const Thread& thread) { return Make(thread.state, thread.stack); }
  // Behind the rule that was called last; kDead for kWholeText and kAnyCaller.
  ConfigId AfterReturn(StackId stack);
  ConfigId Step(ConfigId config, std::uint8_t byte) {
    const std::uint32_t next = steps_[config * classes_ + byte_classes_[byte]];
    return next != kUnknown ? next : MakeStep(config, byte);
  }

  std::span<const Thread> threads(ConfigId config) const {
    const Entry& entry = entries_[config];
    return std::span(threads_).subspan(entry.first, entry.count);
  }
  // The text may end here.
  bool is_complete(ConfigId config) const { return entries_[config].is_complete; }
  // The rule that OfState began in may end here.
  bool returns(ConfigId config) const { return entries_[config].returns; }
  std::size_t depth(StackId stack) const { return stacks_[stack].depth; }
  // The states that wait for a return, the innermost first.
  std::vector<StateId> Unwind(StackId stack) const;
  // The same configuration, known by another Configurations of the same automaton.
  ConfigId Adopt(const Configurations& other, ConfigId config);

  std::size_t size() const { return entries_.size(); }
  std::size_t size_bytes() const;
  // The price of all steps that were made, about one for each place that was looked at.
  std::uint64_t work() const { return work_; }

 private:
  static constexpr std::uint32_t kUnknown = 0xFFFFFFFF;

  struct Entry {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    bool is_complete = false;
    bool returns = false;
  };
  struct Stack {
    StateId state = 0;  // where to go on
    StackId above = 0;
    std::uint32_t depth = 0;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  ConfigId Make(StateId state, StackId stack);
  ConfigId MakeStep(ConfigId config, std::uint8_t byte);
  // Adds a place and all that is reached from it without reading.
  void Follow(StateId state, StackId stack);
  StackId Push(StateId state, StackId above);
  // The configuration that Follow gathered.
  ConfigId Gathered();

  const Automaton* automaton_;  // not owned
  std::vector<std::uint8_t> byte_classes_;
  std::size_t classes_;
  std::vector<Entry> entries_;
  std::vector<Thread> threads_;
  std::vector<std::uint32_t> steps_;  // [configurations, classes]
  std::vector<Stack> stacks_;
  std::unordered_map<std::uint64_t, StackId> known_stacks_;
  std::unordered_map<std::string, ConfigId, TextHash, std::equal_to<>> known_;
  std::uint64_t work_ = 0;

  // What Follow has found so far.
  std::vector<Thread> visited_;
  std::size_t followed_calls_ = 0;
  std::vector<Thread> gathered_;
  bool is_complete_ = false;
  bool returns_ = false;
  bool is_overfull_ = false;
};

}  // namespace switchyard::grammar::internal
