// The tokens <0x00> to <0xFF> with which SentencePiece vocabularies spell what they don't contain.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "model/internal/tokenizer/vocabulary.h"

namespace switchyard::model::tokenization {

class ByteFallback {
 public:
  explicit ByteFallback(const Vocabulary& vocabulary);

  // Appends one token a byte, or nothing, returning false, if one of them has no token.
  bool Spell(std::string_view bytes, std::vector<TokenId>* ids) const;

 private:
  std::array<TokenId, 256> tokens_;  // -1: none
};

// The byte of "<0x41>"; nothing for any other name.
std::optional<char> ByteOfName(std::string_view name);

}  // namespace switchyard::model::tokenization
