#include "model/internal/tokenizer/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace switchyard::model::tokenization {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Matches(std::string_view pattern, std::string_view text) {
  auto regex = Regex::Compile(pattern);
  EXPECT_TRUE(regex) << regex.error().message;
  if (!regex) return {};
  RegexScratch scratch;
  std::vector<Span> spans;
  const base::Status status = regex->FindAll(text, &scratch, &spans);
  EXPECT_TRUE(status) << status.error().message;
  std::vector<std::string> found;
  for (const Span span : spans) found.emplace_back(text.substr(span.begin, span.end - span.begin));
  return found;
}

// The expectations below are Oniguruma's documentation (doc/RE) and Unicode 16's tables.

TEST(Regex, SpaceIsWhiteSpaceOfUnicode) {
  EXPECT_THAT(Matches("\\s+",
                      "a\xC2\xA0\xE3\x80\x80"
                      "b"),
              ElementsAre("\xC2\xA0\xE3\x80\x80"));
  EXPECT_THAT(Matches("\\s", "\xE1\xA0\x8E"), IsEmpty());  // U+180E is a format character
  EXPECT_THAT(Matches("[^\\s]+", "a b"), ElementsAre("a", "b"));
}

TEST(Regex, KnowsCharactersYoungerThanItsEngine) {
  EXPECT_THAT(Matches("\\p{L}+",
                      "a\xF0\xB1\x8D\x90"
                      "b"),
              ElementsAre("a\xF0\xB1\x8D\x90"
                          "b"));  // U+31350
  EXPECT_THAT(Matches("\\p{Han}", "\xF0\xB1\x8D\x90"), ElementsAre("\xF0\xB1\x8D\x90"));
  EXPECT_THAT(Matches("\\p{Lu}", "\xE1\xB2\x89"), ElementsAre("\xE1\xB2\x89"));  // U+1C89
}

TEST(Regex, WordCharactersAreLettersMarksDigitsAndConnectors) {
  EXPECT_THAT(Matches("\\w+", "e\xCC\x81_1\xC2\xB2"),
              ElementsAre("e\xCC\x81_1"));  // not a superscript
}

TEST(Regex, RepeatedIntervalIsNotPossessive) {
  EXPECT_THAT(Matches("\\d{1,3}+", "1234567"), ElementsAre("1234567"));
  EXPECT_THAT(Matches("(?:ab){1,2}+a", "ababa"), ElementsAre("ababa"));
  EXPECT_THAT(Matches("a{,2}b", "aaab"), ElementsAre("aab"));
}

TEST(Regex, ScriptIsNotScriptExtensions) {
  EXPECT_THAT(Matches("\\p{Han}+", "\xE3\x80\x81\xE4\xB8\xAD"), ElementsAre("\xE4\xB8\xAD"));
}

TEST(Regex, DollarIsTheEndOfALineAndDotNoNewline) {
  EXPECT_THAT(Matches("a$", "a\na"), ElementsAre("a", "a"));
  EXPECT_THAT(Matches(".+", "a\rb\nc"), ElementsAre("a\rb", "c"));
  EXPECT_THAT(Matches("(?m:a.b)", "a\nb"), ElementsAre("a\nb"));
}

TEST(Regex, EmptyMatchesDoNotRepeat) {
  EXPECT_THAT(Matches("(?=b)", "abb"), ElementsAre("", ""));
  EXPECT_THAT(Matches("x*", "xa"), ElementsAre("x", ""));
}

// Longer than the steps that every match may take, in the middle of a text.
TEST(Regex, LongRunsMatchAsAWhole) {
  const std::string run(50'000, ' ');
  EXPECT_THAT(Matches("\\s+(?!\\S)|\\S+", "ab" + run + "c"), ElementsAre("ab", run.substr(1), "c"));
  EXPECT_THAT(Matches("(?:a|b)+(?=c)", "x" + std::string(3000, 'a') + "cb" + std::string(40, 'b')),
              ElementsAre(std::string(3000, 'a')));
}

// One match may take what the pattern wants, but not each of many.
TEST(Regex, BoundsTheStepsOfAWholeText) {
  auto regex = Regex::Compile("(?:a?){12}(?:a{12}|b)c|.");
  ASSERT_TRUE(regex);
  std::vector<Span> spans;
  RegexScratch scratch;
  EXPECT_TRUE(regex->FindAll(std::string(13, 'a'), &scratch, &spans));
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::string(13, 'a') + " ";
  const base::Status status = regex->FindAll(text, &scratch, &spans);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("match limit exceeded"));
  // The same scratch in many small parts.
  RegexScratch other;
  bool fails = false;
  for (int i = 0; i < 1000 && !fails; ++i) {
    fails = !regex->FindAll(std::string(13, 'a'), &other, &spans);
  }
  EXPECT_TRUE(fails);
}

TEST(Regex, RefusesWhatItCannotRead) {
  const auto refusal = [](const std::string& pattern) {
    auto regex = Regex::Compile(pattern);
    return regex ? std::string() : regex.error().message;
  };
  EXPECT_THAT(refusal("(a"), HasSubstr("'(a' is not valid"));
  EXPECT_THAT(refusal("(*NO_JIT)a"), HasSubstr("nothing to repeat"));
  EXPECT_THAT(refusal("a\\"), HasSubstr("backslash"));
  EXPECT_THAT(refusal("[a"), HasSubstr("not closed"));
  EXPECT_THAT(refusal("[a-z&&[^b]]"), HasSubstr("not supported"));
  EXPECT_THAT(refusal("\\C"), HasSubstr("not valid"));
  EXPECT_THAT(refusal(std::string(20'000, 'a')), HasSubstr("20000 bytes"));
}

}  // namespace
}  // namespace switchyard::model::tokenization
