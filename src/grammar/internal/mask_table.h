// The masks of a grammar's configurations, made when first needed and kept (after XGrammar,
// arXiv:2411.15100): for each state of the automaton, which tokens fit within its rule whoever
// called it, and where in the vocabulary the rule returns, which alone must be looked at for each
// stack. Not for many threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "grammar/automaton.h"
#include "grammar/internal/configurations.h"
#include "grammar/token_mask.h"
#include "grammar/vocabulary.h"

namespace switchyard::grammar::internal {

class MaskTable {
 public:
  MaskTable(const Automaton& automaton, const Vocabulary& vocabulary)
      : automaton_(automaton), vocabulary_(vocabulary), configurations_(automaton) {}

  Configurations& configurations() { return configurations_; }
  const Configurations& configurations() const { return configurations_; }

  // Shared by the table and by whoever applies it, so that the table may be thrown away. Fails
  // where the grammar is so ambiguous that the mask would take too long.
  base::Result<std::shared_ptr<const TokenMask>> Mask(ConfigId config);
  // Of a text's first token, for vocabularies where that one differs.
  base::Result<std::shared_ptr<const TokenMask>> StartMask();
  // Makes what Mask needs for a state, if it is one whose mask takes long.
  void Prepare(StateId state);

  std::size_t size_bytes() const { return configurations_.size_bytes() + masks_bytes_; }

 private:
  struct StateMask {
    TokenMask allowed;
    std::vector<std::uint32_t> returns;  // nodes of the trie
  };

  bool IsWide(StateId state) const;
  // Null if it takes too long.
  const StateMask* FindStateMask(StateId state);
  // Allows what fits from `config` on, below the trie's node `top`; false if that takes too long.
  bool Walk(const TokenTrie& trie, std::size_t top, ConfigId config, TokenMask& mask,
            std::vector<std::uint32_t>* returns);
  bool AddThread(const Thread& thread, TokenMask& mask);

  const Automaton& automaton_;
  const Vocabulary& vocabulary_;
  Configurations configurations_;
  std::unordered_map<StateId, StateMask> state_masks_;
  std::vector<std::shared_ptr<const TokenMask>> masks_;  // by configuration
  std::shared_ptr<const TokenMask> start_mask_;
  std::size_t masks_bytes_ = 0;
  std::uint64_t most_work_ = 0;  // until when Walk goes on
  std::vector<ConfigId> path_;   // Walk's, by depth
};

}  // namespace switchyard::grammar::internal
