// Which tokens may come next: one bit for each of a vocabulary. A value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "grammar/token_trie.h"

namespace switchyard::grammar {

class TokenMask {
 public:
  explicit TokenMask(std::size_t vocabulary) : words_((vocabulary + kBits - 1) / kBits) {}

  void Allow(TokenId token) {
    const auto bit = static_cast<std::size_t>(token);
    words_[bit / kBits] |= std::uint64_t{1} << (bit % kBits);
  }
  bool Allows(TokenId token) const {
    const auto bit = static_cast<std::size_t>(token);
    return bit / kBits < words_.size() && ((words_[bit / kBits] >> (bit % kBits)) & 1) != 0;
  }
  void Add(const TokenMask& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  bool empty() const;
  // The logit of every token that may not come becomes minus infinity.
  void Apply(std::span<float> logits) const;
  std::size_t size_bytes() const { return words_.size() * sizeof(std::uint64_t); }

 private:
  static constexpr std::size_t kBits = 64;
  std::vector<std::uint64_t> words_;
};

}  // namespace switchyard::grammar
