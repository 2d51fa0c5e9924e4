#include "server/grammar_cache.h"

namespace switchyard::server {

base::Result<GrammarCache::Compiled> GrammarCache::Get(
    const std::string& key, const std::shared_ptr<const grammar::Vocabulary>& vocabulary,
    const std::function<base::Result<grammar::Grammar>()>& make) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return entries_.front().second;
    }
  }
  // Not under the lock: others go on meanwhile. Two that want the same make it twice.
  SWITCHYARD_TRY(const grammar::Grammar grammar, make());
  SWITCHYARD_TRY(Compiled compiled, grammar::CompiledGrammar::Compile(grammar, vocabulary));
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return compiled;
  entries_.emplace_front(key, compiled);
  by_key_.emplace(key, entries_.begin());
  if (entries_.size() > most_) {
    by_key_.erase(entries_.back().first);
    entries_.pop_back();
  }
  return compiled;
}

}  // namespace switchyard::server
