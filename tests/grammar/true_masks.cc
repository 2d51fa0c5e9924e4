// Holds the masks of grammars over a real vocabulary against brute force: at each place of random
// texts every token is tried by itself.
//
//   switchyard_true_masks MODEL
#include <fmt/format.h>

#include <random>

#include "engine/token_vocabulary.h"
#include "grammar/ebnf.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/regex.h"
#include "model/model.h"

namespace switchyard {
namespace {

using grammar::Grammar;
using grammar::Matcher;
using grammar::TokenId;

constexpr int kSteps = 60;  // of a text

base::Result<Grammar> Schema(std::string_view text) {
  SWITCHYARD_TRY(const base::Json schema, base::ParseJson(std::string(text), "a schema"));
  return grammar::FromJsonSchema(schema, {});
}

// The tokens that may come next; an error where the mask says otherwise.
base::Result<std::vector<TokenId>> Next(const Matcher& matcher, std::int64_t vocabulary) {
  Matcher asked = matcher;
  SWITCHYARD_TRY(const auto mask, asked.NextTokens());
  std::vector<TokenId> allowed;
  for (TokenId token = 0; token < vocabulary; ++token) {
    Matcher tried = matcher;
    const bool fits = tried.Accept(token);
    if (fits != mask->Allows(token)) {
      return base::Fail(base::ErrorCode::kInternal, "token {} {} and the mask says otherwise",
                        token, fits ? "fits" : "does not fit");
    }
    if (fits) allowed.push_back(token);
  }
  return allowed;
}

base::Result<int> Follow(const Grammar& grammar,
                         const std::shared_ptr<const grammar::Vocabulary>& vocabulary,
                         std::mt19937& random) {
  SWITCHYARD_TRY(const auto compiled, grammar::CompiledGrammar::Compile(grammar, vocabulary));
  Matcher matcher(compiled);
  int steps = 0;
  for (; steps < kSteps && !matcher.is_over(); ++steps) {
    SWITCHYARD_TRY(const auto allowed,
                   Next(matcher, static_cast<std::int64_t>(vocabulary->size())));
    if (allowed.empty()) break;
    SWITCHYARD_CHECK(matcher.Accept(allowed[random() % allowed.size()]));
  }
  return steps;
}

base::Status Run(const char* path) {
  SWITCHYARD_TRY(const auto model, model::Model::Load(path));
  const auto vocabulary = engine::MakeVocabulary(model->tokenizer());
  const std::vector<base::Result<Grammar>> grammars = {
      grammar::FromRegex("[a-zäöü]{2,12}( [A-Z][a-z]*)*"),
      grammar::FromRegex("\\d{4}-\\d{2}-\\d{2}"),
      grammar::FromEbnf("root ::= \"(\" root \")\" | [^()]+"),
      Schema(R"({"type":"object"})"),
      Schema(R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},)"
             R"("required":["name"],"additionalProperties":false})"),
      Schema(R"({"enum":["red","green","blue",1,null]})")};
  std::mt19937 random(7);
  int steps = 0;
  for (const auto& grammar : grammars) {
    if (!grammar) return std::unexpected(grammar.error());
    SWITCHYARD_TRY(const int followed, Follow(*grammar, vocabulary, random));
    steps += followed;
  }
  fmt::print("{} masks of {} tokens are true\n", steps, vocabulary->size());
  return {};
}

}  // namespace
}  // namespace switchyard

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "switchyard_true_masks MODEL\n");
    return 2;
  }
  const auto status = switchyard::Run(argv[1]);
  if (status) return 0;
  fmt::print(stderr, "{}\n", status.error().message);
  return 1;
}
