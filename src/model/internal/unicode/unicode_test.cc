// Expected values are from the Unicode Character Database's own files (UnicodeData.txt,
// DerivedAge.txt, SpecialCasing.txt) and the worked examples of Unicode Standard Annex 15.
#include <gtest/gtest.h>

#include "model/internal/unicode/case_mapping.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/normalization.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::unicode {
namespace {

TEST(Category, KnowsOlderVersions) {
  EXPECT_EQ(CategoryOf('a'), Category::kLl);
  EXPECT_EQ(CategoryIn8('a'), Category::kLl);
  EXPECT_EQ(CategoryOf(0x10FFFF), Category::kCn);
  // CANADIAN SYLLABICS CHI SIGN became a symbol in Unicode 12.
  EXPECT_EQ(CategoryOf(0x166D), Category::kSo);
  EXPECT_EQ(CategoryIn9(0x166D), Category::kPo);
  // COMBINING GLAGOLITIC LETTER AZU is of Unicode 9.
  EXPECT_EQ(CategoryIn9(0x1E000), Category::kMn);
  EXPECT_EQ(CategoryIn8(0x1E000), Category::kCn);
  // GARAY CAPITAL LETTER A is of Unicode 16.
  EXPECT_EQ(CategoryOf(0x10D50), Category::kLu);
  EXPECT_EQ(CategoryIn9(0x10D50), Category::kCn);
}

TEST(Category, AnswersAsPythonDoes) {
  EXPECT_TRUE(HasClass(0xB2, kDigit));  // SUPERSCRIPT TWO
  EXPECT_FALSE(HasClass(0xB2, kDecimal));
  EXPECT_TRUE(HasClass(0xBD, kNumeric));  // VULGAR FRACTION ONE HALF
  EXPECT_TRUE(HasClass(0x1C5, kTitle));   // Dž
  EXPECT_TRUE(HasClass(0x2170, kLower));  // SMALL ROMAN NUMERAL ONE, not a letter
  EXPECT_FALSE(HasClass(0xA0, kPrintable));
  EXPECT_TRUE(HasClass(' ', kPrintable));
  EXPECT_TRUE(HasClass('_', kIdentifierStart));
  EXPECT_FALSE(HasClass('1', kIdentifierStart));
  EXPECT_TRUE(HasClass('1', kIdentifierPart));
  EXPECT_FALSE(HasClass(kMalformed, 0xFFFF));
  EXPECT_TRUE(IsSpace(0x1C));
  EXPECT_FALSE(IsWhiteSpace(0x1C));
}

TEST(Category, GivesTheValueOfDecimalDigits) {
  EXPECT_EQ(DecimalValue('7'), 7);
  EXPECT_EQ(DecimalValue(0x663), 3);    // ARABIC-INDIC DIGIT THREE
  EXPECT_EQ(DecimalValue(0x1D7FF), 9);  // the last of five sets of mathematical digits in a row
  EXPECT_EQ(DecimalValue(0x1D7D8), 0);  // the first of the second set
  EXPECT_EQ(DecimalValue(0xB2), -1);
  EXPECT_EQ(DecimalValue(kMalformed), -1);
}

TEST(CaseMapping, TreatsAFinalSigmaByContextOnlyForPython) {
  EXPECT_EQ(ToLower("ΣΊΣΥΦΟΣ"), "σίσυφος");
  EXPECT_EQ(LowerEach("ΣΊΣΥΦΟΣ"), "σίσυφοσ");
  EXPECT_EQ(LowerEach("\u0130"), "i\u0307");
  EXPECT_EQ(ToUpper("Straße"), "STRASSE");
  EXPECT_EQ(ToTitle("ǆep"), "ǅep");
  EXPECT_EQ(FoldCase("Maße"), "masse");
  EXPECT_EQ(ToUpper("\xFF"
                    "a"),
            "\xFF"
            "A");
}

TEST(Normalize, FollowsUnicode9) {
  EXPECT_EQ(Normalize("\u212B", NormalizationForm::kNfc), "\u00C5");  // ANGSTROM SIGN
  EXPECT_EQ(Normalize("\u1E9B\u0323", NormalizationForm::kNfkc), "\u1E69");
  EXPECT_EQ(Normalize("\u1E9B\u0323", NormalizationForm::kNfd), "\u017F\u0323\u0307");
  EXPECT_EQ(Normalize("\uAC00", NormalizationForm::kNfd), "\u1100\u1161");
  // SQUARE ERA NAME REIWA is of Unicode 12.1.
  EXPECT_EQ(Normalize("\u32FF", NormalizationForm::kNfkc), "\u32FF");
}

TEST(Utf8, CountsBrokenBytesOneByOne) {
  const std::string text = "a\xE2\x82z\xF0\x9F\x98\x80";
  EXPECT_EQ(CountCodePoints(text), 5U);
  EXPECT_EQ(OffsetOf(text, 3), 3U);
  EXPECT_EQ(PreviousOffset(text, text.size()), 4U);
  EXPECT_EQ(PreviousOffset(text, 3), 2U);
  std::string out;
  AppendUtf8(0xD800, &out);
  EXPECT_EQ(out, kReplacementCharacter);
}

}  // namespace
}  // namespace switchyard::model::unicode
