#include "model/internal/tokenizer/bpe.h"

#include <algorithm>
#include <limits>

#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {
namespace {

using base::ErrorCode;
using base::Fail;

// Up to this many symbols, looking at all pairs each time beats keeping a heap.
constexpr std::size_t kFewSymbols = 48;
constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();

std::uint64_t PairKey(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

}  // namespace

Bpe::Bpe(const Vocabulary& vocabulary, BpeOptions options)
    : vocabulary_(vocabulary), options_(std::move(options)), bytes_(vocabulary) {
  for (char32_t point = 0; point < low_characters_.size(); ++point) {
    std::string character;
    unicode::AppendUtf8(point, &character);
    low_characters_[point] = vocabulary.Find(character).value_or(-1);
  }
}

base::Result<std::unique_ptr<Bpe>> Bpe::Create(const Vocabulary& vocabulary,
                                               const std::vector<Merge>& merges,
                                               BpeOptions options) {
  if (merges.size() >= kNoRank / 2) {
    return Fail(ErrorCode::kInvalidArgument, "{} merges are too many", merges.size());
  }
  std::unique_ptr<Bpe> bpe(new Bpe(vocabulary, std::move(options)));
  bpe->merges_ = FlatMap<Merged>(merges.size());
  const std::size_t prefix_size = bpe->options_.continuing_subword_prefix.size();
  std::string result;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right] = merges[rank];
    const auto left_id = vocabulary.Find(left);
    const auto right_id = vocabulary.Find(right);
    if (!left_id || !right_id) {
      return Fail(ErrorCode::kInvalidArgument,
                  "merge {} joins '{}' and '{}', but '{}' is not in the vocabulary", rank, left,
                  right, left_id ? right : left);
    }
    if (right.size() < prefix_size) {
      return Fail(ErrorCode::kInvalidArgument,
                  "merge {} has '{}' on the right, which lacks the prefix '{}'", rank, right,
                  bpe->options_.continuing_subword_prefix);
    }
    result.assign(left).append(right.substr(prefix_size));
    const auto token = vocabulary.Find(result);
    if (!token) {
      return Fail(ErrorCode::kInvalidArgument,
                  "merge {} makes '{}', which is not in the vocabulary", rank, result);
    }
    bpe->merges_[PairKey(*left_id, *right_id)] = {static_cast<std::uint32_t>(rank), *token};
  }
  return bpe;
}

std::optional<TokenId> Bpe::FindCharacter(std::string_view character) const {
  const auto lead = static_cast<unsigned char>(character.front());
  const bool is_low =
      (character.size() == 1 && lead < 0x80) || (character.size() == 2 && lead < 0xC8);
  if (!is_low) return vocabulary_.Find(character);
  std::size_t position = 0;
  const TokenId token = low_characters_[unicode::NextPoint(character, &position)];
  return token < 0 ? std::nullopt : std::optional(token);
}

void Bpe::AppendCharacters(std::string_view piece, std::vector<TokenId>* ids) const {
  const std::string& prefix = options_.continuing_subword_prefix;
  const std::string& suffix = options_.end_of_word_suffix;
  const bool is_plain = prefix.empty() && suffix.empty();
  std::string affixed;
  bool after_unknown = false;
  for (std::size_t i = 0; i < piece.size();) {
    const std::size_t length = unicode::Utf8Length(piece[i]);
    std::string_view character = piece.substr(i, length);
    const bool is_first = i == 0;
    i += length;
    std::optional<TokenId> token;
    if (is_plain) {
      token = FindCharacter(character);
    } else {
      affixed.assign(is_first ? "" : prefix).append(character);
      if (i == piece.size()) affixed.append(suffix);
      character = affixed;
      token = vocabulary_.Find(character);
    }
    if (token) {
      ids->push_back(*token);
      after_unknown = false;
    } else if (options_.byte_fallback && bytes_.Spell(character, ids)) {
      after_unknown = false;
    } else if (options_.unknown) {
      if (!after_unknown || !options_.fuse_unknown) ids->push_back(*options_.unknown);
      after_unknown = true;
    }
  }
}

const Bpe::Merged* Bpe::FindMerge(TokenId left, TokenId right) const {
  return merges_.Find(PairKey(left, right));
}

void Bpe::Tokenize(std::string_view piece, std::vector<TokenId>* ids) const {
  if (options_.ignore_merges) {
    if (const auto token = vocabulary_.Find(piece)) {
      ids->push_back(*token);
      return;
    }
  }
  const std::size_t first = ids->size();
  AppendCharacters(piece, ids);
  if (ids->size() - first <= kFewSymbols) {
    MergeFew(ids, first);
  } else {
    MergeMany(ids, first);
  }
}

void Bpe::MergeFew(std::vector<TokenId>* ids, std::size_t first) const {
  std::size_t count = ids->size() - first;
  if (count < 2) return;
  TokenId* symbols = ids->data() + first;
  std::array<Merged, kFewSymbols> pairs;  // of each symbol with the next
  const auto look = [&](std::size_t i) {
    const Merged* merge = FindMerge(symbols[i], symbols[i + 1]);
    pairs[i] = merge ? *merge : Merged{kNoRank, -1};
  };
  for (std::size_t i = 0; i + 1 < count; ++i) look(i);
  while (count > 1) {
    const auto best =
        std::ranges::min_element(pairs.begin(), pairs.begin() + (count - 1), {}, &Merged::rank);
    if (best->rank == kNoRank) break;
    const auto at = static_cast<std::size_t>(best - pairs.begin());
    symbols[at] = best->token;
    std::copy(symbols + at + 2, symbols + count, symbols + at + 1);
    std::copy(pairs.begin() + at + 1, pairs.begin() + (count - 1), pairs.begin() + at);
    --count;
    if (at > 0) look(at - 1);
    if (at + 1 < count) look(at);
  }
  ids->resize(first + count);
}

void Bpe::MergeMany(std::vector<TokenId>* ids, std::size_t first) const {
  constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();
  struct Symbol {
    TokenId token;  // -1 once merged into its left neighbour
    std::uint32_t previous;
    std::uint32_t next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::uint32_t at;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  const auto count = static_cast<std::uint32_t>(ids->size() - first);
  std::vector<Symbol> symbols(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    symbols[i] = {(*ids)[first + i], i == 0 ? kEnd : i - 1, i + 1 == count ? kEnd : i + 1};
  }
  std::vector<Candidate> heap;
  const auto find = [&](std::uint32_t at) -> const Merged* {
    const Symbol& left = symbols[at];
    if (left.token < 0 || left.next == kEnd) return nullptr;
    return FindMerge(left.token, symbols[left.next].token);
  };
  for (std::uint32_t i = 0; i + 1 < count; ++i) {
    if (const Merged* merge = find(i)) heap.push_back({merge->rank, i});
  }
  std::ranges::make_heap(heap, std::greater<>());
  const auto offer = [&](std::uint32_t at) {
    if (const Merged* merge = find(at)) {
      heap.push_back({merge->rank, at});
      std::ranges::push_heap(heap, std::greater<>());
    }
  };
  while (!heap.empty()) {
    std::ranges::pop_heap(heap, std::greater<>());
    const Candidate best = heap.back();
    heap.pop_back();
    // The pair may have changed since it was offered; then it has another rank or none.
    const Merged* merge = find(best.at);
    if (!merge || merge->rank != best.rank) continue;
    Symbol& left = symbols[best.at];
    Symbol& right = symbols[left.next];
    left.token = merge->token;
    right.token = -1;
    left.next = right.next;
    if (left.next != kEnd) symbols[left.next].previous = best.at;
    offer(best.at);
    if (left.previous != kEnd) offer(left.previous);
  }
  ids->resize(first);
  for (std::uint32_t i = 0; i != kEnd; i = symbols[i].next) ids->push_back(symbols[i].token);
}

}  // namespace switchyard::model::tokenization
