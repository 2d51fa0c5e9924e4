#include "model/internal/tokenizer/sentencepiece_bpe.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {

SentencePieceBpe::SentencePieceBpe(const Vocabulary& vocabulary, const std::vector<Entry>& entries,
                                   std::optional<TokenId> unknown)
    : bytes_(vocabulary), unknown_(unknown) {
  entries_.reserve(entries.size());
  for (const Entry& entry : entries) {
    const std::string_view name = vocabulary.Name(entry.token);
    if (name.empty()) continue;
    entries_.try_emplace(name, entry);
    longest_bytes_ = std::max(longest_bytes_, name.size());
  }
}

void SentencePieceBpe::Tokenize(std::string_view piece, std::vector<TokenId>* ids) const {
  constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();
  struct Symbol {
    std::uint32_t begin;
    std::uint32_t size;  // 0 once merged into its left neighbour
    std::uint32_t previous;
    std::uint32_t next;
  };
  struct Candidate {
    float score;
    std::uint32_t at;
    std::uint32_t size;  // of both symbols, when the candidate was offered
    bool operator<(const Candidate& other) const {
      return score != other.score ? score < other.score : at > other.at;
    }
  };

  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  for (std::size_t i = 0; i < piece.size();) {
    const std::size_t length = unicode::Utf8Length(piece[i]);
    const auto index = static_cast<std::uint32_t>(symbols.size());
    symbols.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(length),
                       index == 0 ? kEnd : index - 1, index + 1});
    i += length;
  }
  if (symbols.empty()) return;
  symbols.back().next = kEnd;

  std::vector<Candidate> heap;
  const auto offer = [&](std::uint32_t at) {
    const Symbol& left = symbols[at];
    if (left.next == kEnd) return;
    const std::uint32_t size = left.size + symbols[left.next].size;
    if (size > longest_bytes_) return;
    const auto found = entries_.find(piece.substr(left.begin, size));
    if (found == entries_.end()) return;
    heap.push_back({found->second.score, at, size});
    std::push_heap(heap.begin(), heap.end());
  };
  for (std::uint32_t i = 0; i < symbols.size(); ++i) offer(i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbols[best.at];
    // A symbol only grows, so an outdated candidate shows in the size.
    if (left.size == 0 || left.next == kEnd || left.size + symbols[left.next].size != best.size) {
      continue;
    }
    Symbol& right = symbols[left.next];
    left.size = best.size;
    right.size = 0;
    left.next = right.next;
    if (left.next != kEnd) symbols[left.next].previous = best.at;
    offer(best.at);
    if (left.previous != kEnd) offer(left.previous);
  }

  for (std::uint32_t i = 0; i != kEnd; i = symbols[i].next) {
    const std::string_view text = piece.substr(symbols[i].begin, symbols[i].size);
    const auto found = entries_.find(text);
    if (found != entries_.end()) {
      ids->push_back(found->second.token);
    } else if (!bytes_.Spell(text, ids) && unknown_) {
      ids->push_back(*unknown_);
    }
  }
}

}  // namespace switchyard::model::tokenization
