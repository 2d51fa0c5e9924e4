#include "certify/plain_text.h"

#include <gtest/gtest.h>

namespace switchyard::certify {
namespace {

TEST(PlainText, LeavesTextOfAnyLanguageAlone) {
  for (const char* text : {"", "a b\tc\nd", "caf\u00e9", "\u4e2d\u6587", "\u0639\u0631\u0628\u064a",
                           "\U0001F600", "\uFFFD", "\uFEFF"}) {
    EXPECT_EQ(PlainText(text), text);
  }
}

TEST(PlainText, ReplacesWhatWouldHarmATerminalOrAReader) {
  using namespace std::literals;
  EXPECT_EQ(PlainText("a\0b"sv), "a\uFFFDb");
  EXPECT_EQ(PlainText("\x1b[31m"), "\uFFFD[31m");
  EXPECT_EQ(PlainText("a\rb\x7f"), "a\uFFFDb\uFFFD");
  EXPECT_EQ(PlainText("\u0085"), "\uFFFD");
  EXPECT_EQ(PlainText("a\u202Eb\u2066c"), "a\uFFFDb\uFFFDc");
  EXPECT_EQ(PlainText("\uFFFE\U0001FFFF"), "\uFFFD\uFFFD");
}

// Unicode 15 section 3.9: ill-formed sequences.
TEST(PlainText, ReplacesBrokenSequences) {
  EXPECT_EQ(PlainText("\xff"), "\uFFFD");
  EXPECT_EQ(PlainText("\xc0\x80"), "\uFFFD\uFFFD");                      // overlong
  EXPECT_EQ(PlainText("\xe0\x9f\xbf"), "\uFFFD\uFFFD\uFFFD");            // overlong
  EXPECT_EQ(PlainText("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");            // a surrogate
  EXPECT_EQ(PlainText("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // above U+10FFFF
  EXPECT_EQ(PlainText("\xe4\xb8"), "\uFFFD\uFFFD");                      // cut off
  EXPECT_EQ(PlainText("\xe4\xb8"
                      "A"),
            "\uFFFD\uFFFD"
            "A");
  EXPECT_EQ(PlainText("\x80"), "\uFFFD");
}

}  // namespace
}  // namespace switchyard::certify
