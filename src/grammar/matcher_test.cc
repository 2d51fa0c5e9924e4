#include "grammar/matcher.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <random>

#include "grammar/ebnf.h"
#include "grammar/json_schema.h"

namespace switchyard::grammar {
namespace {

using Random = std::mt19937;

std::size_t Below(Random& random, std::size_t bound) { return random() % bound; }

// Texts over few characters, so that grammars and tokens meet: all of one byte, and others that
// reach over the borders of rules.
std::shared_ptr<const Vocabulary> SmallVocabulary(Random& random, bool differs_at_start) {
  VocabularyBytes bytes;
  const std::string alphabet = "ab(),";
  for (const char c : alphabet) bytes.tokens.emplace_back(1, c);
  for (int i = 0; i < 60; ++i) {
    std::string token;
    for (std::size_t k = 0; k < 1 + Below(random, 5); ++k) {
      token += alphabet[Below(random, alphabet.size())];
    }
    bytes.tokens.push_back(token);
  }
  bytes.tokens.emplace_back();  // says nothing
  bytes.tokens.push_back(SpecialSpelling("(a)"));
  if (differs_at_start) {
    for (const std::string& token : bytes.tokens) {
      bytes.at_start.push_back(token.starts_with("a") ? token.substr(1) : token);
    }
  }
  return std::make_shared<const Vocabulary>(std::move(bytes));
}

std::string RandomBody(Random& random, int depth) {
  switch (Below(random, depth > 3 ? 4 : 9)) {
    case 0:
      return "\"a\"";
    case 1:
      return "\"b,\"";
    case 2:
      return "[ab]";
    case 3:
      return std::string("r") + static_cast<char>('0' + Below(random, 3));
    case 4:
      return "(" + RandomBody(random, depth + 1) + " | " + RandomBody(random, depth + 1) + ")";
    case 5:
      return "\"(\" " + RandomBody(random, depth + 1) + " \")\"";
    case 6:
      return "(" + RandomBody(random, depth + 1) + ")*";
    case 7:
      return "(" + RandomBody(random, depth + 1) + ")?";
    default:
      return RandomBody(random, depth + 1) + " " + RandomBody(random, depth + 1);
  }
}

std::string RandomGrammar(Random& random) {
  std::string text = "root ::= " + RandomBody(random, 0) + "\n";
  for (int i = 0; i < 3; ++i) {
    text += fmt::format("r{} ::= \",\" {} | \"a\"\n", i, RandomBody(random, 0));
  }
  return text;
}

// The mask says of each token what Accept says.
void ExpectMaskIsTrue(Matcher& matcher, const Vocabulary& vocabulary) {
  const auto mask = matcher.NextTokens();
  RC_ASSERT(mask.has_value());
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary.size()); ++token) {
    Matcher copy = matcher;
    RC_ASSERT((*mask)->Allows(token) == copy.Accept(token));
  }
}

TEST(Matcher, MasksAreWhatTryingEachTokenSays) {
  int followed = 0;
  rc::check([&followed](std::uint32_t seed) {
    Random random(seed);
    const bool differs_at_start = Below(random, 2) == 0;
    const auto vocabulary = SmallVocabulary(random, differs_at_start);
    const std::string text = RandomGrammar(random);
    const auto grammar = FromEbnf(text);
    RC_ASSERT(grammar.has_value());
    CompileOptions options;
    if (Below(random, 2) == 0) options.prepare = std::chrono::milliseconds(0);
    if (Below(random, 2) == 0) options.cache_bytes = 2000;  // forgets all the time
    const auto compiled = CompiledGrammar::Compile(*grammar, vocabulary, options);
    if (!compiled) return;  // left-recursive, or no text fits
    ++followed;
    Matcher matcher(*compiled);
    std::vector<TokenId> said;
    for (int step = 0; step < 12 && !matcher.is_over(); ++step) {
      ExpectMaskIsTrue(matcher, *vocabulary);
      std::vector<TokenId> allowed;
      const auto mask = matcher.NextTokens();
      for (TokenId token = 0; token < static_cast<TokenId>(vocabulary->size()); ++token) {
        if ((*mask)->Allows(token)) allowed.push_back(token);
      }
      // Each byte of the alphabet is a token, so an unfinished text can always go on.
      RC_ASSERT(!allowed.empty() || matcher.is_complete() || (differs_at_start && step == 0));
      if (allowed.empty()) break;
      said.push_back(allowed[Below(random, allowed.size())]);
      RC_ASSERT(matcher.Accept(said.back()));
    }
    // Elsewhere the same tokens lead to the same place.
    const auto again = CompiledGrammar::Compile(*grammar, vocabulary);
    RC_ASSERT(again.has_value());
    Matcher other(*again);
    for (const TokenId token : said) RC_ASSERT(other.Accept(token));
    RC_ASSERT(other.is_complete() == matcher.is_complete());
    RC_ASSERT(other.is_over() == matcher.is_over());
  });
  EXPECT_GT(followed, 20);
}

std::shared_ptr<const Vocabulary> BytesAnd(std::vector<std::string> more = {}) {
  VocabularyBytes bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.tokens.emplace_back(1, static_cast<char>(byte));
  for (std::string& token : more) bytes.tokens.push_back(std::move(token));
  return std::make_shared<const Vocabulary>(std::move(bytes));
}

TEST(Matcher, FollowsTextsThatNestDeeplyUpToItsBound) {
  const auto grammar = FromEbnf("root ::= \"(\" root \")\" | \"x\"");
  ASSERT_TRUE(grammar);
  const auto compiled = CompiledGrammar::Compile(*grammar, BytesAnd());
  ASSERT_TRUE(compiled);
  Matcher matcher(*compiled);
  EXPECT_TRUE(matcher.AcceptText(std::string(500, '(') + "x" + std::string(499, ')')));
  EXPECT_FALSE(matcher.is_complete());
  EXPECT_TRUE(matcher.AcceptText(")"));
  EXPECT_TRUE(matcher.is_complete());
  EXPECT_TRUE(matcher.is_over());
  // Beyond the bound only the way back is left.
  Matcher deep(*compiled);
  EXPECT_FALSE(deep.AcceptText(std::string(2000, '(')));
  std::size_t depth = 0;
  while (deep.AcceptText("(")) ++depth;
  const auto mask = deep.NextTokens();
  ASSERT_TRUE(mask);
  EXPECT_FALSE((*mask)->Allows('('));
  EXPECT_TRUE((*mask)->Allows('x'));
  EXPECT_TRUE(deep.AcceptText("x" + std::string(depth, ')')));
  EXPECT_TRUE(deep.is_over());
}

TEST(Matcher, ItemsInARowDoNotNest) {
  const auto grammar = FromEbnf("root ::= \"a\" root | \"b\"");
  ASSERT_TRUE(grammar);
  const auto compiled = CompiledGrammar::Compile(*grammar, BytesAnd());
  ASSERT_TRUE(compiled);
  Matcher matcher(*compiled);
  EXPECT_TRUE(matcher.AcceptText(std::string(100'000, 'a') + "b"));
  EXPECT_TRUE(matcher.is_over());
}

TEST(Matcher, SpecialTokensAreNoText) {
  Grammar grammar;
  grammar.SetRoot(grammar.Sequence(
      {grammar.TextWithout("<call>"), grammar.SpecialToken("<call>"), grammar.Literal("x")}));
  const auto compiled =
      CompiledGrammar::Compile(grammar, BytesAnd({SpecialSpelling("<call>"), "<call>", "<ca"}));
  ASSERT_TRUE(compiled);
  Matcher matcher(*compiled);
  EXPECT_TRUE(matcher.AcceptText("see <cal <"));
  EXPECT_TRUE(matcher.Accept(258));
  EXPECT_FALSE(matcher.AcceptText("ll>"));
  EXPECT_FALSE(matcher.Accept(257));
  EXPECT_TRUE(matcher.Accept(256));
  EXPECT_FALSE(matcher.is_complete());
  EXPECT_TRUE(matcher.Accept('x'));
  EXPECT_TRUE(matcher.is_over());
}

TEST(Matcher, TextsStopAtTheFirstOfSeveralStops) {
  const auto takes = [](std::string_view text) {
    Grammar grammar;
    const std::array<std::string_view, 3> stops = {"<call>", "<call_end>", "all"};
    grammar.SetRoot(grammar.TextWithout(stops));
    const auto compiled = CompiledGrammar::Compile(grammar, BytesAnd({}));
    Matcher matcher(*compiled);
    return matcher.AcceptText(text) && matcher.is_complete();
  };
  EXPECT_TRUE(takes(""));
  EXPECT_TRUE(takes("é <ca <cal al <<c"));
  EXPECT_FALSE(takes("<call"));
  EXPECT_FALSE(takes("<<ball"));
}

TEST(Grammar, IsComposedOfOthers) {
  const auto schema = FromJsonSchema({{"type", "object"}, {"properties", {{"a", {{"const", 1}}}}}});
  ASSERT_TRUE(schema);
  Grammar whole;
  whole.AddRule("other", whole.Literal("x"));
  const ExprId body = whole.Import(*schema);
  whole.SetRoot(whole.Sequence({whole.Literal("<call>"), body, whole.Literal("</call>")}));
  const auto compiled = CompiledGrammar::Compile(whole, BytesAnd());
  ASSERT_TRUE(compiled) << compiled.error().message;
  Matcher matcher(*compiled);
  EXPECT_TRUE(matcher.AcceptText("<call>{\"a\":1}</call>"));
  EXPECT_TRUE(matcher.is_over());
}

TEST(Matcher, FollowsObjectsOfManyOptionalProperties) {
  base::Json schema = {{"type", "object"}};
  for (int i = 0; i < 500; ++i) schema["properties"][fmt::format("p{}", i)] = {{"type", "null"}};
  const auto grammar = FromJsonSchema(schema);
  ASSERT_TRUE(grammar) << grammar.error().message;
  const auto compiled = CompiledGrammar::Compile(*grammar, BytesAnd());
  ASSERT_TRUE(compiled) << compiled.error().message;
  Matcher matcher(*compiled);
  EXPECT_TRUE(matcher.AcceptText("{\"p7\":null,\"p499\":null}"));
  EXPECT_TRUE(matcher.is_over());
}

TEST(CompiledGrammar, HostileOnesEndInTime) {
  const auto vocabulary = BytesAnd({"aa", "aaaa", "aaaaaaaa"});
  const auto try_it = [&](const std::string& text) {
    const auto grammar = FromEbnf(text);
    if (!grammar) return;
    const auto compiled = CompiledGrammar::Compile(*grammar, vocabulary);
    if (!compiled) return;
    Matcher matcher(*compiled);
    for (int i = 0; i < 300; ++i) {
      if (!matcher.NextTokens() || !matcher.AcceptText("a")) return;
    }
  };
  try_it("root ::= (\"a\" | \"a\"){1,100000}");
  try_it("root ::= ([ab]*)* \"a\" [ab]{5000}");
  try_it("root ::= x x x x x x x x x x\nx ::= y y y y y y y y\ny ::= (\"a\"?)*");
  try_it("root ::= s\ns ::= \"a\" s s s | \"a\" t s | \"b\"\nt ::= \"a\" s t | \"a\" t t | \"b\"");
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 3000; ++i) chain += fmt::format("r{} ::= r{} \"x\" | \"a\"\n", i, i + 1);
  try_it(chain + "r3000 ::= \"a\"");
  // Long lists of every kind, which must not nest as deep as they are long.
  base::Json wide = {{"type", "object"}, {"additionalProperties", {{"type", "null"}}}};
  base::Json prefix = {{"type", "array"}, {"prefixItems", base::Json::array()}};
  for (int i = 0; i < 6000; ++i) {
    wide["properties"][fmt::format("p{}", i)] = {{"type", "null"}};
    prefix["prefixItems"].push_back({{"type", "null"}});
  }
  wide["properties"][std::string(200'000, 'k')] = {{"type", "null"}};
  for (const base::Json& schema : {wide, prefix}) {
    const auto grammar = FromJsonSchema(schema);
    if (grammar) static_cast<void>(CompiledGrammar::Compile(*grammar, vocabulary));
  }
  std::string groups;
  for (int i = 0; i < 100'000; ++i) groups += "(";
  try_it("root ::= " + groups);
}

}  // namespace
}  // namespace switchyard::grammar
