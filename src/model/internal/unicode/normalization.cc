#include "model/internal/unicode/normalization.h"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

#include "model/internal/unicode/tables.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::unicode {
namespace {

// The order of marks on one base (Canonical_Combining_Class).
int CombiningClass(char32_t point) {
  if (point < kCombiningRanges.front().first) return 0;
  const auto next = std::ranges::upper_bound(kCombiningRanges, point, {}, &CombiningRange::first);
  const CombiningRange& range = *std::prev(next);
  return point <= range.last ? range.combining_class : 0;
}

// Hangul syllables decompose and compose by arithmetic (Unicode Standard, section 3.12).
constexpr char32_t kSyllableBase = 0xAC00;
constexpr char32_t kLeadBase = 0x1100;
constexpr char32_t kVowelBase = 0x1161;
constexpr char32_t kTrailBase = 0x11A7;
constexpr char32_t kLeadCount = 19;
constexpr char32_t kVowelCount = 21;
constexpr char32_t kTrailCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kTrailCount;

const Decomposition* FindDecomposition(std::span<const Decomposition> table, char32_t point) {
  const auto found = std::ranges::lower_bound(table, point, {}, &Decomposition::point);
  return found != table.end() && found->point == point ? &*found : nullptr;
}

void Decompose(char32_t point, bool compatible, std::u32string* out) {
  if (point < 0xA0) {
    out->push_back(point);
    return;
  }
  if (point >= kSyllableBase && point < kSyllableBase + kSyllableCount) {
    const char32_t index = point - kSyllableBase;
    out->push_back(kLeadBase + index / (kVowelCount * kTrailCount));
    out->push_back(kVowelBase + index / kTrailCount % kVowelCount);
    if (index % kTrailCount != 0) out->push_back(kTrailBase + index % kTrailCount);
    return;
  }
  const Decomposition* found =
      compatible ? FindDecomposition(kCompatibilityDecompositions, point) : nullptr;
  if (!found) found = FindDecomposition(kCanonicalDecompositions, point);
  if (!found) {
    out->push_back(point);
    return;
  }
  const auto parts = kDecompositionPool.subspan(found->offset, found->length);
  out->append(parts.begin(), parts.end());
}

// Sorts every run of marks by combining class, keeping the order of equal ones.
void OrderMarks(std::u32string* text) {
  for (std::size_t i = 0; i < text->size();) {
    if (CombiningClass((*text)[i]) == 0) {
      ++i;
      continue;
    }
    std::size_t end = i;
    // Class, place, mark: those of one class keep their order.
    std::vector<std::tuple<int, std::size_t, char32_t>> marks;
    for (int mark_class; end < text->size() && (mark_class = CombiningClass((*text)[end])) != 0;
         ++end) {
      marks.emplace_back(mark_class, end, (*text)[end]);
    }
    if (marks.size() > 1) {
      std::ranges::sort(marks);
      for (std::size_t k = 0; k < marks.size(); ++k) (*text)[i + k] = std::get<char32_t>(marks[k]);
    }
    i = end;
  }
}

// 0 if the pair has no composition.
char32_t ComposePair(char32_t first, char32_t second) {
  if (first >= kLeadBase && first < kLeadBase + kLeadCount && second >= kVowelBase &&
      second < kVowelBase + kVowelCount) {
    return kSyllableBase +
           ((first - kLeadBase) * kVowelCount + (second - kVowelBase)) * kTrailCount;
  }
  if (first >= kSyllableBase && first < kSyllableBase + kSyllableCount &&
      (first - kSyllableBase) % kTrailCount == 0 && second > kTrailBase &&
      second < kTrailBase + kTrailCount) {
    return first + (second - kTrailBase);
  }
  const auto found = std::ranges::lower_bound(
      kCompositions, std::pair(first, second), {},
      [](const Composition& entry) { return std::pair(entry.first, entry.second); });
  return found != kCompositions.end() && found->first == first && found->second == second
             ? found->composed
             : 0;
}

// The canonical composition algorithm (definition D117): each character tries to join the last
// starter unless one of equal or higher class stands between.
void Compose(std::u32string* text) {
  std::size_t kept = 0;
  std::size_t starter = std::u32string::npos;
  int last_class = -1;  // of the last kept character after the starter
  for (const char32_t point : *text) {
    const int mark_class = CombiningClass(point);
    if (starter != std::u32string::npos && last_class < mark_class) {
      if (const char32_t composed = ComposePair((*text)[starter], point)) {
        (*text)[starter] = composed;
        continue;
      }
    }
    if (mark_class == 0) {
      starter = kept;
      last_class = -1;
    } else {
      last_class = mark_class;
    }
    (*text)[kept++] = point;
  }
  text->resize(kept);
}

}  // namespace

std::string Normalize(std::string_view text, NormalizationForm form) {
  const bool composes = form == NormalizationForm::kNfc || form == NormalizationForm::kNfkc;
  const bool compatible = form == NormalizationForm::kNfkc || form == NormalizationForm::kNfkd;
  // Below U+00A0 nothing decomposes; below U+0300 nothing composes with what precedes it, and what
  // decomposes canonically composes back.
  const unsigned char unchanged_below =
      composes && !compatible ? 0xCC /* the lead byte of U+0300 */ : 0x80;
  if (std::ranges::all_of(text, [&](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < unchanged_below;
      })) {
    return std::string(text);
  }

  std::u32string points;
  points.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) Decompose(NextPoint(text, &i), compatible, &points);
  OrderMarks(&points);
  if (composes) Compose(&points);
  std::string result;
  result.reserve(text.size());
  for (const char32_t point : points) AppendUtf8(point, &result);
  return result;
}

}  // namespace switchyard::model::unicode
