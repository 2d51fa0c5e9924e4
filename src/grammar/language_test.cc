// Runs the tables of grammars and texts in tests/grammar.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <sstream>

#include "grammar/choice.h"
#include "grammar/ebnf.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/regex.h"

namespace switchyard::grammar {
namespace {

using base::Json;

std::shared_ptr<const Vocabulary> Bytes() {
  VocabularyBytes bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.tokens.emplace_back(1, static_cast<char>(byte));
  return std::make_shared<const Vocabulary>(std::move(bytes));
}

base::Result<Grammar> Read(const std::string& kind, const std::string& text) {
  if (kind == "ebnf") return FromEbnf(text);
  if (kind == "regex") return FromRegex(text);
  if (kind == "choice") {
    return FromChoices(Json::parse(text).get<std::vector<std::string>>());
  }
  return FromJsonSchema(Json::parse(text));
}

bool Fits(const std::shared_ptr<const CompiledGrammar>& grammar, const std::string& text) {
  Matcher matcher(grammar);
  return matcher.AcceptText(text) && matcher.is_complete();
}

struct Case {
  int line = 0;
  std::string kind;
  std::string grammar;
  struct Text {
    int line = 0;
    std::string mark;
    std::string text;
  };
  std::vector<Text> texts;
};

std::vector<Case> ReadCases(const std::string& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("  ")) {
      cases.back().grammar += "\n" + line.substr(2);
      continue;
    }
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string mark = line.substr(0, blank);
    const std::string rest = line.substr(std::min(blank + 1, line.size()));
    if (mark == "+s" || mark == "-s") {
      cases.back().texts.push_back({number, mark.substr(0, 1), Json::parse(rest)});
    } else if (mark == "+" || mark == "-" || mark == "!") {
      cases.back().texts.push_back({number, mark, rest});
    } else {
      cases.push_back({number, mark, rest, {}});
    }
  }
  return cases;
}

void RunTable(const std::string& path, std::size_t least) {
  const std::vector<Case> cases = ReadCases(path);
  ASSERT_GE(cases.size(), least);
  const auto vocabulary = Bytes();
  for (const Case& one : cases) {
    SCOPED_TRACE(fmt::format("{}:{}: {} {}", path, one.line, one.kind, one.grammar));
    ASSERT_FALSE(one.texts.empty());
    const auto grammar = Read(one.kind, one.grammar);
    base::Result<std::shared_ptr<const CompiledGrammar>> compiled =
        grammar ? CompiledGrammar::Compile(*grammar, vocabulary) : std::unexpected(grammar.error());
    for (const Case::Text& text : one.texts) {
      SCOPED_TRACE(fmt::format("line {}: {} {}", text.line, text.mark, text.text));
      if (text.mark == "!") {
        ASSERT_FALSE(compiled);
        EXPECT_THAT(compiled.error().message, testing::HasSubstr(text.text));
        EXPECT_EQ(compiled.error().code, base::ErrorCode::kInvalidArgument);
        continue;
      }
      ASSERT_TRUE(compiled) << compiled.error().message;
      EXPECT_EQ(Fits(*compiled, text.text), text.mark == "+");
    }
  }
}

TEST(Languages, AreThoseOfTheTable) { RunTable("tests/grammar/languages.txt", 40); }

TEST(Schemas, AllowWhatTheTableSays) { RunTable("tests/grammar/schemas.txt", 50); }

TEST(Schemas, AgreeWithAnIndependentValidator) {
  RunTable("tests/grammar/schema_instances.txt", 20);
}

}  // namespace
}  // namespace switchyard::grammar
