// The tokens of a tokenizer as bytes, built once and shared by all grammars that are compiled for
// it. Immutable; any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/token_trie.h"

namespace switchyard::grammar {

// The bytes of every token, by id. A special token is spelled by SpecialSpelling; a token that may
// never be chosen has no bytes.
struct VocabularyBytes {
  std::vector<std::string> tokens;
  // What a token says where it is the first of a text, if that differs for any (many vocabularies
  // drop the space before the first word); else empty.
  std::vector<std::string> at_start = {};
};

class Vocabulary {
 public:
  explicit Vocabulary(VocabularyBytes bytes);

  std::size_t size() const { return bytes_.tokens.size(); }
  // Empty outside the vocabulary.
  std::string_view bytes(TokenId token, bool at_start) const;
  const TokenTrie& trie() const { return trie_; }
  // Null where a text begins as it goes on.
  const TokenTrie* start_trie() const { return start_trie_ ? &*start_trie_ : nullptr; }

 private:
  VocabularyBytes bytes_;
  TokenTrie trie_;
  std::optional<TokenTrie> start_trie_;
};

}  // namespace switchyard::grammar
