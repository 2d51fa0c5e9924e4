// What a client's grammar may cost: whatever is deeper, larger or slower to read is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/choice.h"
#include "grammar/compiled_grammar.h"
#include "grammar/ebnf.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/regex.h"

namespace switchyard::grammar {
namespace {

using base::Json;
using testing::HasSubstr;

std::string ErrorOf(const base::Result<Grammar>& grammar) {
  if (!grammar) return grammar.error().message;
  const auto automaton = Automaton::Build(*grammar);
  return automaton ? "" : automaton.error().message;
}

std::string Times(int count, std::string_view text) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

Json Numbers(int first, int count) {
  Json list = Json::array();
  for (int i = 0; i < count; ++i) list.push_back(first + i);
  return list;
}

TEST(Bounds, OfRepetitionsOfOneItem) {
  for (const char* repetition : {"?", "*", "+", "{2}", "{0,2}", "?*", "+ {2} # again\n"}) {
    EXPECT_THAT(ErrorOf(FromEbnf("root ::= \"a\"" + Times(1'000'000, repetition))),
                HasSubstr("more than 16 repetitions"))
        << repetition;
  }
  EXPECT_EQ(ErrorOf(FromEbnf("root ::= \"a\"" + Times(8, "?*"))), "");
  EXPECT_THAT(ErrorOf(FromRegex("a" + Times(1'000'000, "?"))), HasSubstr("behind a repetition"));
}

// However it was made.
TEST(Bounds, OfDepth) {
  using Step = std::function<ExprId(Grammar&, ExprId)>;
  const Step steps[] = {
      [](Grammar& grammar, ExprId part) { return grammar.Repeat(part, 0, 2); },
      [](Grammar& grammar, ExprId part) { return grammar.Optional(grammar.Repeat(part, 2)); },
      [](Grammar& grammar, ExprId part) { return grammar.Sequence({part, part}); },
      [](Grammar& grammar, ExprId part) { return grammar.Choice({part, grammar.Empty()}); },
  };
  for (const Step& step : steps) {
    Grammar grammar;
    ExprId part = grammar.Literal("a");
    for (int i = 0; i < 1'000'000; ++i) part = step(grammar, part);
    grammar.SetRoot(grammar.Rule(grammar.AddRule("deep", part)));
    EXPECT_THAT(ErrorOf(grammar), HasSubstr("more than 1000 deep"));
    Grammar other;
    other.SetRoot(other.Import(grammar));
    EXPECT_THAT(ErrorOf(other), HasSubstr("more than 1000 deep"));
  }
  EXPECT_THAT(ErrorOf(FromEbnf("root ::= " + Times(190, "(") + "\"a\"" +
                               Times(190, Times(12, "{0,2}") + " \"b\")"))),
              HasSubstr("more than 1000 deep"));
}

TEST(Bounds, LeaveRoomForGroups) {
  EXPECT_EQ(
      ErrorOf(FromEbnf("root ::= " + Times(190, "(\"b\" | \"c\" ") + "\"a\"" + Times(190, ")?"))),
      "");
  EXPECT_EQ(ErrorOf(FromRegex(Times(190, "(?:b|c") + "a" + Times(190, ")*"))), "");
  EXPECT_THAT(ErrorOf(FromRegex(Times(1'000'000, "("))), HasSubstr("more than 200 groups"));
  EXPECT_THAT(ErrorOf(FromEbnf("root ::= " + Times(1'000'000, "("))),
              HasSubstr("more than 200 groups"));
}

TEST(Bounds, OfSchemasOneWithinAnother) {
  const auto nested = [](int depth, const std::function<Json(Json)>& step) {
    Json schema = {{"type", "null"}};
    for (int i = 0; i < depth; ++i) schema = step(std::move(schema));
    return FromJsonSchema(schema);
  };
  const std::function<Json(Json)> steps[] = {
      [](Json inner) { return Json{{"items", std::move(inner)}}; },
      [](Json inner) { return Json{{"prefixItems", Json::array({std::move(inner)})}}; },
      [](Json inner) { return Json{{"properties", Json{{"a", std::move(inner)}}}}; },
      [](Json inner) {
        return Json{{"anyOf", Json::array({std::move(inner), Json{{"type", "string"}}})}};
      },
  };
  for (const auto& step : steps) {
    EXPECT_EQ(ErrorOf(nested(90, step)), "");
    EXPECT_THAT(ErrorOf(nested(2000, step)), HasSubstr("one within another"));
  }
  Json chain = {{"$ref", "#/$defs/0"}};
  for (int i = 0; i < 3000; ++i) {
    chain["$defs"][std::to_string(i)] = {{"items", {{"$ref", fmt::format("#/$defs/{}", i + 1)}}}};
  }
  chain["$defs"]["3000"] = {{"type", "null"}};
  EXPECT_THAT(ErrorOf(FromJsonSchema(chain)), HasSubstr("one within another"));
}

TEST(Bounds, OfSize) {
  std::string classes = "root ::= ";
  for (int i = 0; i < 100'000; ++i) classes += fmt::format("[^\\U{:08x}]", 0x10000 + i);
  EXPECT_THAT(ErrorOf(FromEbnf(classes)), HasSubstr("too large"));
  EXPECT_THAT(ErrorOf(FromEbnf("root ::= " + Times(1'000'000, "."))), HasSubstr("too large"));
  const std::vector<std::string> choices(10'000, std::string(4096, 'a'));
  EXPECT_THAT(ErrorOf(FromChoices(choices)), HasSubstr("too large"));
}

TEST(Bounds, OfCharactersInAClass) {
  std::string text = "root ::= [";
  for (int i = 0; i < 150'000; ++i) text += fmt::format("\\U{:08x}", 0x10FFFE - 2 * i);
  EXPECT_THAT(ErrorOf(FromEbnf(text + "]")), HasSubstr("too large"));
}

// They come behind what no text fits, so no state of the automaton is made of them.
TEST(Bounds, OfStatesThatNothingLeadsTo) {
  std::string text = "root ::= \"a\"\n";
  for (int i = 0; i < 500; ++i) text += fmt::format("r{} ::= [] \"a\"{{200000}}\n", i);
  EXPECT_THAT(ErrorOf(FromEbnf(text)), HasSubstr("too large"));
}

TEST(Bounds, OfASchemasText) {
  EXPECT_THAT(ErrorOf(FromJsonSchema({{"enum", Numbers(0, 20'000)}})), HasSubstr("20002 values"));
  EXPECT_THAT(ErrorOf(FromJsonSchema({{"const", std::string(2'000'000, 'a')}})),
              HasSubstr("2000005 bytes"));
  Json patterns = Json::object();
  for (int i = 0; i < 300; ++i) {
    patterns["properties"][std::to_string(i)] = {{"pattern", std::string(1000, 'a')}};
  }
  EXPECT_THAT(ErrorOf(FromJsonSchema(patterns)), HasSubstr("patterns of more than"));
}

TEST(Bounds, OfWhatASchemaPutsTogether) {
  // Of which one is an integer.
  Json values = Json::array_t(10'000, true);
  values.push_back(1);
  Json copies = {{"$defs", {{"big", {{"enum", values}}}}}};
  copies["items"] = {{"type", "integer"}, {"anyOf", Json::array()}};
  for (int i = 0; i < 3000; ++i) copies["items"]["anyOf"].push_back({{"$ref", "#/$defs/big"}});
  EXPECT_THAT(ErrorOf(FromJsonSchema(copies)), HasSubstr("too much is to be put together"));

  Json pairs = Json::object();
  for (int i = 0; i < 64; ++i) {
    pairs["$defs"][std::to_string(i)] = {{"enum", Numbers(1000 * i, 150)}};
  }
  for (int i = 0; i < 70; ++i) {
    Json& alternatives = pairs["properties"][std::to_string(i)]["oneOf"];
    for (int k = 0; k < 64; ++k) alternatives.push_back({{"$ref", fmt::format("#/$defs/{}", k)}});
  }
  EXPECT_THAT(ErrorOf(FromJsonSchema(pairs)), HasSubstr("too much is to be put together"));
}

// Each of the rules within a long name would hold it.
TEST(Bounds, OfNamesOfRules) {
  Json schema = Json::object();
  Json* within = &schema;
  for (int i = 0; i < 5; ++i) within = &(*within)["properties"][std::string(100'000, 'k')];
  for (int i = 0; i < 500; ++i) (*within)["properties"][std::to_string(i)] = {{"type", "null"}};
  const auto grammar = FromJsonSchema(schema);
  ASSERT_TRUE(grammar) << grammar.error().message;
  for (const Grammar::RuleBody& rule : grammar->rules()) EXPECT_LT(rule.name.size(), 1500U);
}

TEST(Bounds, LeaveRoomForManyRequiredProperties) {
  Json schema = {{"type", "object"}, {"additionalProperties", false}};
  for (int i = 0; i < 4000; ++i) {
    const std::string name = fmt::format("property{}", i);
    schema["required"].push_back(name);
    schema["properties"][name] = {{"type", "null"}};
  }
  EXPECT_EQ(ErrorOf(FromJsonSchema(schema, {.blank = {}, .strict = true})), "");
  schema["required"].back() = "property0";
  EXPECT_THAT(ErrorOf(FromJsonSchema(schema, {.blank = {}, .strict = true})),
              HasSubstr("Missing 'property3999'"));
}

// A list of calls, each with a stack of its own, met with many stacks at the greatest depth.
TEST(Bounds, OfCallsThatLeadNowhere) {
  std::string text = "root ::= c0\n";
  for (int i = 0; i < 511; ++i) text += fmt::format("c{} ::= c{} \"x\"\n", i, i + 1);
  text += "c511 ::= a0";
  for (int i = 1; i < 300; ++i) text += fmt::format(" | a{}", i);
  for (int i = 0; i < 300; ++i) text += fmt::format("\na{} ::= z \"{}\"", i, i);
  text += "\nz ::= r0 \"y\"";
  for (int i = 1; i < 20'000; ++i) text += fmt::format(" | r{} \"y\"", i);
  for (int i = 0; i < 20'000; ++i) text += fmt::format("\nr{} ::= \"a\"+ \"b\"", i);
  VocabularyBytes bytes;
  bytes.tokens = {"a", "b", "x", "y"};
  const auto vocabulary = std::make_shared<const Vocabulary>(std::move(bytes));
  const auto grammar = FromEbnf(text);
  ASSERT_TRUE(grammar) << grammar.error().message;
  const auto compiled = CompiledGrammar::Compile(*grammar, vocabulary);
  ASSERT_TRUE(compiled) << compiled.error().message;
  Matcher matcher(*compiled);
  EXPECT_FALSE(matcher.AcceptText("a"));
}

}  // namespace
}  // namespace switchyard::grammar
