#include "model/internal/tokenizer/wordpiece.h"

#include <algorithm>

namespace switchyard::model::tokenization {

WordPiece::WordPiece(const Vocabulary& vocabulary, std::string prefix, TokenId unknown,
                     std::size_t max_characters)
    : unknown_(unknown), max_characters_(max_characters) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const std::string_view name = vocabulary.Name(id);
    starting_.Insert(name, id);
    if (name.starts_with(prefix)) continuing_.Insert(name.substr(prefix.size()), id);
  }
}

void WordPiece::Tokenize(std::string_view piece, std::vector<TokenId>* ids) const {
  const auto characters = static_cast<std::size_t>(std::ranges::count_if(
      piece, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  const std::size_t first = ids->size();
  bool is_covered = characters <= max_characters_;
  for (std::size_t at = 0; is_covered && at < piece.size();) {
    std::size_t longest = 0;
    TokenId token = unknown_;
    const Trie& trie = at == 0 ? starting_ : continuing_;
    trie.VisitPrefixes(piece.substr(at), [&](std::size_t length, TokenId id) {
      longest = length;
      token = id;
    });
    ids->push_back(token);
    at += longest;
    is_covered = longest > 0;
  }
  if (!is_covered) {
    ids->resize(first);
    ids->push_back(unknown_);
  }
}

}  // namespace switchyard::model::tokenization
