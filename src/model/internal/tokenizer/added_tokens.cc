#include "model/internal/tokenizer/added_tokens.h"

#include <utility>

#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {
namespace {

// The character that ends before `at`, whose start goes to *begin.
char32_t PointBefore(std::string_view text, std::size_t at, std::size_t* begin) {
  do {
    --at;
  } while ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  *begin = at;
  return unicode::NextPoint(text, &at);
}

bool IsWordCharacter(char32_t point) {
  const unicode::Category category = unicode::CategoryOf(point);
  return (category >= unicode::Category::kLl && category <= unicode::Category::kNl) ||
         category == unicode::Category::kPc || point == 0x200C || point == 0x200D;
}

}  // namespace

void AddedTokens::Add(AddedToken token) {
  trie_.Insert(token.content, static_cast<std::int32_t>(tokens_.size()));
  tokens_.push_back(std::move(token));
}

const AddedToken* AddedTokens::LongestAt(std::string_view text, std::size_t at) const {
  if (!trie_.MayStart(text[at])) return nullptr;
  const AddedToken* longest = nullptr;
  trie_.VisitPrefixes(text.substr(at), [&](std::size_t, std::int32_t index) {
    longest = &tokens_[static_cast<std::size_t>(index)];
  });
  return longest;
}

bool AddedTokens::InsideWord(std::string_view text, std::size_t begin, std::size_t end) {
  if (end < text.size()) {
    std::size_t after = end;
    if (IsWordCharacter(unicode::NextPoint(text, &after))) return true;
  }
  std::size_t before = 0;
  return begin > 0 && IsWordCharacter(PointBefore(text, begin, &before));
}

std::size_t AddedTokens::SpaceBefore(std::string_view text, std::size_t begin, std::size_t bound) {
  while (begin > bound) {
    std::size_t before = 0;
    if (!unicode::IsWhiteSpace(PointBefore(text, begin, &before))) break;
    begin = before;
  }
  return begin;
}

std::size_t AddedTokens::SpaceAfter(std::string_view text, std::size_t end) {
  while (end < text.size()) {
    std::size_t after = end;
    if (!unicode::IsWhiteSpace(unicode::NextPoint(text, &after))) break;
    end = after;
  }
  return end;
}

}  // namespace switchyard::model::tokenization
