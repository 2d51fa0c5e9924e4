#include "grammar/token_trie.h"

#include <algorithm>

namespace switchyard::grammar {

TokenTrie::TokenTrie(std::span<const std::string> token_bytes) {
  for (std::size_t id = 0; id < token_bytes.size(); ++id) {
    const std::size_t size = token_bytes[id].size();
    if (size == 0 || size > kMostBytes) continue;
    tokens_.push_back(static_cast<TokenId>(id));
    depth_ = std::max(depth_, size);
  }
  const auto bytes = [&](TokenId id) -> const std::string& {
    return token_bytes[static_cast<std::size_t>(id)];
  };
  std::ranges::sort(tokens_, [&](TokenId a, TokenId b) {
    const int order = bytes(a).compare(bytes(b));  // as unsigned bytes
    return order < 0 || (order == 0 && a < b);
  });

  nodes_.push_back({});
  std::vector<std::uint32_t> open = {0};  // the nodes above, by depth
  const auto close = [&](std::size_t depth) {
    for (; open.size() > depth + 1; open.pop_back()) {
      nodes_[open.back()].end = static_cast<std::uint32_t>(nodes_.size());
    }
  };
  const std::string none;
  const std::string* last = &none;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& text = bytes(tokens_[i]);
    const auto common =
        static_cast<std::size_t>(std::ranges::mismatch(*last, text).in1 - last->begin());
    close(common);
    for (std::size_t depth = common; depth < text.size(); ++depth) {
      open.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back({.tokens = static_cast<std::uint32_t>(i),
                        .depth = static_cast<std::uint16_t>(depth + 1),
                        .byte = static_cast<std::uint8_t>(text[depth])});
    }
    last = &text;
  }
  close(0);
  nodes_[0].end = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({.tokens = static_cast<std::uint32_t>(tokens_.size())});
}

}  // namespace switchyard::grammar
