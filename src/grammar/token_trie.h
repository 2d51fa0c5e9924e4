// The tokens of a vocabulary by their bytes, as a tree laid out flat: a walk over it that skips
// what cannot go on sees each common beginning once. Immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace switchyard::grammar {

using TokenId = std::int32_t;

class TokenTrie {
 public:
  struct Node {
    std::uint32_t end = 0;     // the first node that is not below this one
    std::uint32_t tokens = 0;  // the first of its tokens; the last ends where the next node's begin
    std::uint16_t depth = 0;   // bytes up to here, this one included
    std::uint8_t byte = 0;
  };

  // Tokens without bytes, or with more than kMostBytes, are left out.
  explicit TokenTrie(std::span<const std::string> token_bytes);

  static constexpr std::size_t kMostBytes = 1024;

  // In the order of a walk; node 0 is the root, above all.
  std::size_t size() const { return nodes_.size() - 1; }
  const Node& node(std::size_t index) const { return nodes_[index]; }
  std::span<const TokenId> tokens(std::size_t index) const {
    return std::span(tokens_).subspan(nodes_[index].tokens,
                                      nodes_[index + 1].tokens - nodes_[index].tokens);
  }
  std::size_t depth() const { return depth_; }

 private:
  std::vector<Node> nodes_;
  std::vector<TokenId> tokens_;
  std::size_t depth_ = 0;  // of the longest token
};

}  // namespace switchyard::grammar
