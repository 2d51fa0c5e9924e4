// Tokens that are found in a text as they stand, before anything else is done to it:
// "<|im_start|>". Where several begin at one place, the longest wins. Immutable once filled.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/internal/tokenizer/trie.h"
#include "model/internal/tokenizer/vocabulary.h"

namespace switchyard::model::tokenization {

struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool special = false;      // found only where special tokens are asked for
  bool single_word = false;  // not inside a word
  bool strip_left = false;   // takes the white space before it along
  bool strip_right = false;  // and after it
};

class AddedTokens {
 public:
  void Add(AddedToken token);
  bool empty() const { return tokens_.empty(); }

  // Cuts `text` at its added tokens and calls visit_text(begin, end) and visit_token(id) in order;
  // no text is empty. Ends with the first failure of visit_text.
  template <typename VisitText, typename VisitToken>
  base::Status Split(std::string_view text, bool with_special, VisitText visit_text,
                     VisitToken visit_token) const {
    std::size_t done = 0;
    for (std::size_t at = 0; at < text.size();) {
      const AddedToken* token = LongestAt(text, at);
      if (!token) {
        ++at;
        continue;
      }
      std::size_t begin = at;
      std::size_t end = at + token->content.size();
      at = end;
      if (token->special && !with_special) continue;
      if (token->single_word && InsideWord(text, begin, end)) continue;
      if (token->strip_left) begin = SpaceBefore(text, begin, done);
      if (token->strip_right) end = SpaceAfter(text, end);
      if (done < begin) SWITCHYARD_RETURN_IF_ERROR(visit_text(done, begin));
      visit_token(token->id);
      at = done = end;
    }
    if (done < text.size()) SWITCHYARD_RETURN_IF_ERROR(visit_text(done, text.size()));
    return {};
  }

 private:
  const AddedToken* LongestAt(std::string_view text, std::size_t at) const;
  static bool InsideWord(std::string_view text, std::size_t begin, std::size_t end);
  static std::size_t SpaceBefore(std::string_view text, std::size_t begin, std::size_t bound);
  static std::size_t SpaceAfter(std::string_view text, std::size_t end);

  std::vector<AddedToken> tokens_;
  Trie trie_;  // of the contents, with the place in tokens_
};

}  // namespace switchyard::model::tokenization
