// A prefix tree over bytes, for finding every token that begins at a place in a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/internal/tokenizer/flat_map.h"

namespace switchyard::model::tokenization {

class Trie {
 public:
  // A later value replaces an earlier one of the same key. An empty key is ignored.
  void Insert(std::string_view key, std::int32_t value) {
    if (key.empty()) return;
    std::uint32_t node = 0;
    for (const char c : key) {
      std::uint32_t& child = children_[Edge(node, c)];
      if (child == 0) {
        child = static_cast<std::uint32_t>(values_.size());
        values_.push_back(kNone);
      }
      node = child;
    }
    values_[node] = value;
    starts_[static_cast<unsigned char>(key.front())] = true;
  }

  bool MayStart(char c) const { return starts_[static_cast<unsigned char>(c)]; }

  // Calls visit(length, value) for each key that `text` begins with, shortest first.
  template <typename Visit>
  void VisitPrefixes(std::string_view text, Visit visit) const {
    std::uint32_t node = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::uint32_t* child = children_.Find(Edge(node, text[i]));
      if (!child) return;
      node = *child;
      if (values_[node] != kNone) visit(i + 1, values_[node]);
    }
  }

 private:
  static constexpr std::int32_t kNone = -1;

  static std::uint64_t Edge(std::uint32_t node, char c) {
    return std::uint64_t{node} << 8 | static_cast<unsigned char>(c);
  }

  FlatMap<std::uint32_t> children_;             // by Edge; node 0 is the root and nobody's child
  std::vector<std::int32_t> values_ = {kNone};  // by node
  std::vector<bool> starts_ = std::vector<bool>(256);
};

}  // namespace switchyard::model::tokenization
