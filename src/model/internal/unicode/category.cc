#include "model/internal/unicode/category.h"

#include <algorithm>

#include "model/internal/unicode/tables.h"

namespace switchyard::model::unicode {
namespace {

constexpr char32_t kPointsEnd = 0x110000;

const PointRun& RunOf(char32_t point) {
  return *std::prev(std::ranges::upper_bound(kPointRuns, point, {}, &PointRun::first));
}

Category OlderCategory(std::span<const CategoryRange> changes, char32_t point) {
  const auto next = std::ranges::upper_bound(changes, point, {}, &CategoryRange::first);
  if (next != changes.begin() && point <= std::prev(next)->last) {
    return static_cast<Category>(std::prev(next)->category);
  }
  return CategoryOf(point);
}

// Python calls everything printable but the categories C* and Z*, and the space itself.
bool IsPrintable(char32_t point, Category category) {
  return point == ' ' || (category > Category::kCs && category < Category::kZl);
}

unsigned ClassesOf(char32_t point) {
  if (point >= kPointsEnd) return 0;
  const PointRun& run = RunOf(point);
  const auto category = static_cast<Category>(run.category);
  const auto has = [&](Property property) { return (run.properties & property) != 0; };
  unsigned classes = 0;
  const auto add = [&](CharacterClass one, bool holds) {
    if (holds) classes |= one;
  };
  add(kAlpha, category >= Category::kLl && category <= Category::kLu);
  add(kDecimal, category == Category::kNd);
  add(kDigit, has(kDigitType));
  add(kNumeric, has(kNumericType));
  add(kLower, has(kLowercase));
  add(kUpper, has(kUppercase));
  add(kTitle, category == Category::kLt);
  add(kPrintable, IsPrintable(point, category));
  add(kIdentifierStart, has(kXidStart) || point == '_');
  add(kIdentifierPart, has(kXidContinue));
  add(kCaseIgnorable, has(kCaseIgnorableProperty));
  return classes;
}

}  // namespace

Category CategoryOf(char32_t point) { return static_cast<Category>(RunOf(point).category); }

Category CategoryIn8(char32_t point) { return OlderCategory(kCategoriesIn8, point); }

Category CategoryIn9(char32_t point) { return OlderCategory(kCategoriesIn9, point); }

bool IsWhiteSpace(char32_t point) {
  return (point >= 0x09 && point <= 0x0D) || point == 0x20 || point == 0x85 || point == 0xA0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

bool IsAsciiPunctuation(char32_t point) {
  return (point >= 0x21 && point <= 0x2F) || (point >= 0x3A && point <= 0x40) ||
         (point >= 0x5B && point <= 0x60) || (point >= 0x7B && point <= 0x7E);
}

bool HasClass(char32_t point, unsigned classes) { return (ClassesOf(point) & classes) != 0; }

bool IsSpace(char32_t point) { return IsWhiteSpace(point) || (point >= 0x1C && point <= 0x1F); }

int DecimalValue(char32_t point) {
  if (point >= kPointsEnd) return -1;
  const PointRun& run = RunOf(point);
  if (static_cast<Category>(run.category) != Category::kNd) return -1;
  return static_cast<int>((point - run.first) % 10);  // digits lie in tens, from 0 to 9
}

}  // namespace switchyard::model::unicode
