// Compiled grammars by what was asked for, so that a form that many requests want is compiled once.
// Any thread; a grammar is compiled on the thread that asks.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "grammar/compiled_grammar.h"

namespace switchyard::server {

class GrammarCache {
 public:
  using Compiled = std::shared_ptr<const grammar::CompiledGrammar>;

  // Holds that many of the last used; an answer keeps its own as long as it lasts.
  explicit GrammarCache(std::size_t most = 32) : most_(most) {}

  // `make` gives the grammar that belongs to `key`, if it is not here. Its errors are not kept.
  base::Result<Compiled> Get(const std::string& key,
                             const std::shared_ptr<const grammar::Vocabulary>& vocabulary,
                             const std::function<base::Result<grammar::Grammar>()>& make);

 private:
  using Entry = std::pair<std::string, Compiled>;

  const std::size_t most_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the last used first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace switchyard::server
