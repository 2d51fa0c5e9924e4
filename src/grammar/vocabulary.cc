#include "grammar/vocabulary.h"

#include "base/error.h"

namespace switchyard::grammar {
namespace {

// What no trie holds may not be chosen either.
VocabularyBytes WithoutEndless(VocabularyBytes bytes) {
  for (auto* texts : {&bytes.tokens, &bytes.at_start}) {
    for (std::string& text : *texts) {
      if (text.size() > TokenTrie::kMostBytes) text.clear();
    }
  }
  return bytes;
}

}  // namespace

Vocabulary::Vocabulary(VocabularyBytes bytes)
    : bytes_(WithoutEndless(std::move(bytes))), trie_(bytes_.tokens) {
  if (bytes_.at_start.empty()) return;
  SWITCHYARD_CHECK(bytes_.at_start.size() == bytes_.tokens.size());
  start_trie_.emplace(bytes_.at_start);
}

std::string_view Vocabulary::bytes(TokenId token, bool at_start) const {
  if (token < 0 || static_cast<std::size_t>(token) >= size()) return {};
  const bool differs = at_start && start_trie_.has_value();
  return (differs ? bytes_.at_start : bytes_.tokens)[static_cast<std::size_t>(token)];
}

}  // namespace switchyard::grammar
