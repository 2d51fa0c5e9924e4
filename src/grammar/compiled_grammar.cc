#include "grammar/compiled_grammar.h"

#include <utility>

#include "grammar/internal/mask_table.h"

namespace switchyard::grammar {

base::Result<std::shared_ptr<const CompiledGrammar>> CompiledGrammar::Compile(
    const Grammar& grammar, std::shared_ptr<const Vocabulary> vocabulary,
    const CompileOptions& options) {
  SWITCHYARD_TRY(Automaton automaton, Automaton::Build(grammar, options.limits));
  const std::shared_ptr<CompiledGrammar> compiled(
      new CompiledGrammar(std::move(automaton), std::move(vocabulary), options));
  compiled->Prepare(options.prepare);
  return compiled;
}

CompiledGrammar::CompiledGrammar(Automaton automaton, std::shared_ptr<const Vocabulary> vocabulary,
                                 const CompileOptions& options)
    : automaton_(std::move(automaton)),
      vocabulary_(std::move(vocabulary)),
      cache_bytes_(options.cache_bytes) {}

CompiledGrammar::~CompiledGrammar() = default;

void CompiledGrammar::Prepare(std::chrono::milliseconds budget) {
  const auto end = std::chrono::steady_clock::now() + budget;
  const std::lock_guard lock(mutex_);
  internal::MaskTable& table = *Table();
  for (StateId state = 0; state < automaton_.state_count(); ++state) {
    if (table.size_bytes() > cache_bytes_ / 2) return;
    if (std::chrono::steady_clock::now() > end) return;
    table.Prepare(state);
  }
}

const std::shared_ptr<internal::MaskTable>& CompiledGrammar::Table() const {
  if (!table_ || table_->size_bytes() > cache_bytes_) {
    table_ = std::make_shared<internal::MaskTable>(automaton_, *vocabulary_);
  }
  return table_;
}

}  // namespace switchyard::grammar
