// A grammar ready to run over one vocabulary: compiled once, then shared by all requests that use
// it. What it learns while it runs (masks, steps between configurations) it keeps, up to a bound.
// Any thread; threads that use one at once take turns for microseconds.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "grammar/automaton.h"
#include "grammar/grammar.h"
#include "grammar/vocabulary.h"

namespace switchyard::grammar {

namespace internal {
class MaskTable;
}

struct CompileOptions {
  AutomatonLimits limits = {};
  // To make masks in advance, so that no answer waits for them.
  std::chrono::milliseconds prepare{200};
  // Of masks and steps. Beyond it all are forgotten and made anew as needed.
  std::size_t cache_bytes = std::size_t{16} << 20U;
};

class CompiledGrammar {
 public:
  // kInvalidArgument: the grammar can't be run; the sentence says why. Takes up to a second: not
  // for an engine's thread.
  static base::Result<std::shared_ptr<const CompiledGrammar>> Compile(
      const Grammar& grammar, std::shared_ptr<const Vocabulary> vocabulary,
      const CompileOptions& options = {});
  ~CompiledGrammar();

  const Vocabulary& vocabulary() const { return *vocabulary_; }

 private:
  friend class Matcher;
  CompiledGrammar(Automaton automaton, std::shared_ptr<const Vocabulary> vocabulary,
                  const CompileOptions& options);
  void Prepare(std::chrono::milliseconds budget);
  // The table to use now. Under the mutex.
  const std::shared_ptr<internal::MaskTable>& Table() const;

  const Automaton automaton_;
  const std::shared_ptr<const Vocabulary> vocabulary_;  // with the tokenizer's other grammars
  const std::size_t cache_bytes_;
  mutable std::mutex mutex_;                            // guards the table, and all older ones
  mutable std::shared_ptr<internal::MaskTable> table_;  // with matchers that have not moved on yet
};

}  // namespace switchyard::grammar
