#include "model/internal/tokenizer/unigram.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {
namespace {

// How much worse than the worst token an unknown character is (SentencePiece's kUnkPenalty).
constexpr double kUnknownPenalty = 10.0;

}  // namespace

Unigram::Unigram(const Vocabulary& vocabulary, const std::vector<Entry>& entries,
                 std::optional<TokenId> unknown, bool byte_fallback)
    : entries_(entries), unknown_(unknown), bytes_(vocabulary), byte_fallback_(byte_fallback) {
  double worst = entries.empty() ? 0.0 : std::numeric_limits<double>::max();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    trie_.Insert(vocabulary.Name(entries[i].token), static_cast<std::int32_t>(i));
    worst = std::min(worst, entries[i].score);
  }
  unknown_score_ = worst - kUnknownPenalty;
}

void Unigram::Tokenize(std::string_view piece, std::vector<TokenId>* ids) const {
  constexpr std::int32_t kUnknown = -1;
  struct Node {  // the best way to reach a place in the piece
    double score = 0;
    std::uint32_t begin = std::numeric_limits<std::uint32_t>::max();  // of its last token
    std::int32_t entry = kUnknown;

    bool reached() const { return begin != std::numeric_limits<std::uint32_t>::max(); }
  };
  std::vector<Node> nodes(piece.size() + 1);
  for (std::size_t i = 0; i < piece.size(); i += unicode::Utf8Length(piece[i])) {
    const double base = nodes[i].score;
    const std::size_t character = unicode::Utf8Length(piece[i]);
    bool has_character = false;
    const auto offer = [&](std::size_t length, double score, std::int32_t entry) {
      Node& node = nodes[i + length];
      if (node.reached() && base + score <= node.score) return;
      node = {base + score, static_cast<std::uint32_t>(i), entry};
    };
    trie_.VisitPrefixes(piece.substr(i), [&](std::size_t length, std::int32_t entry) {
      has_character |= length == character;
      offer(length, entries_[static_cast<std::size_t>(entry)].score, entry);
    });
    if (!has_character) offer(character, unknown_score_, kUnknown);
  }

  struct Step {
    std::size_t begin;
    std::size_t end;
    std::int32_t entry;
  };
  std::vector<Step> path;  // backwards; neighbouring unknown characters are one step
  for (std::size_t end = piece.size(); end > 0;) {
    const Node& node = nodes[end];
    if (node.entry == kUnknown && !path.empty() && path.back().entry == kUnknown) {
      path.back().begin = node.begin;
    } else {
      path.push_back({node.begin, end, node.entry});
    }
    end = node.begin;
  }
  for (auto step = path.rbegin(); step != path.rend(); ++step) {
    if (step->entry != kUnknown) {
      ids->push_back(entries_[static_cast<std::size_t>(step->entry)].token);
      continue;
    }
    const std::string_view text = piece.substr(step->begin, step->end - step->begin);
    if (byte_fallback_ && bytes_.Spell(text, ids)) continue;
    if (unknown_) ids->push_back(*unknown_);
  }
}

}  // namespace switchyard::model::tokenization
