// Walks a JSON Schema and builds the grammar of what fits it. Lives for one schema, on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "grammar/grammar.h"
#include "grammar/internal/schema_algebra.h"
#include "grammar/json_text.h"

namespace switchyard::grammar::internal {

class SchemaReader {
 public:
  // `root`, whose size was checked, and `grammar` outlive this.
  SchemaReader(const base::Json& root, Grammar& grammar, ExprId blank)
      : root_(root), algebra_(root), grammar_(grammar), text_(grammar, blank) {}

  base::Result<ExprId> Read();

 private:
  using Json = base::Json;
  using Expr = base::Result<ExprId>;
  struct Counts {
    std::uint32_t min = 0;
    std::uint32_t max = kUnbounded;
  };

  // `at` is the schema's place, as a JSON pointer.
  Expr ReadSchema(const Json& schema, const std::string& at);
  Expr ReadObjectOfKeywords(const Json& schema, const std::string& at);
  Expr ReadReference(const Json& schema, const std::string& at);
  Expr ReadConstants(const Json& schema, const std::string& at);
  Expr ReadAlternatives(const Json& schema, const std::string& keyword, const std::string& at);
  Expr ReadAllOf(const Json& schema, const std::string& at);
  Expr ReadType(const Json& schema, const std::string& type, const std::string& at);
  Expr ReadString(const Json& schema, const std::string& at);
  Expr ReadFormat(const std::string& format, const std::string& at);
  Expr ReadPattern(const std::string& pattern, const std::string& at);
  Expr ReadInteger(const Json& schema, const std::string& at);
  Expr ReadNumber(const Json& schema, const std::string& at);
  Expr ReadArray(const Json& schema, const std::string& at);
  Expr ReadObject(const Json& schema, const std::string& at);

  base::Status RefuseUnknown(const Json& schema, const std::string& at) const;
  // What all keywords of `schema` but `keyword` say.
  static Json Without(const Json& schema, const std::string& keyword);
  base::Result<Json> MergeOnce(const Json& a, const Json& b, const std::string& at);
  base::Result<Counts> ReadCounts(const Json& schema, const std::string& min_name,
                                  const std::string& max_name, const std::string& at) const;
  // A bound of a number: none if absent.
  base::Result<std::optional<double>> ReadBound(const Json& schema, const std::string& name,
                                                const std::string& at) const;
  // Members, of which each is said once and in order, with commas between those that are there.
  ExprId InOrder(const std::vector<ExprId>& members, const std::vector<bool>& required,
                 std::optional<ExprId> more);
  // How a string's characters are written.
  std::function<ExprId(Grammar&, const CharSet&)> Spelling() {
    return [this](Grammar&, const CharSet& set) { return text_.Spell(set); };
  }
  ExprId AsRule(const std::string& at, ExprId body) {
    return grammar_.Rule(grammar_.AddRule(at, body));
  }

  const Json& root_;
  SchemaAlgebra algebra_;
  Grammar& grammar_;
  JsonText text_;
  std::map<std::string, RuleId> references_;  // by the pointer that they follow
  std::map<std::string, RuleId> formats_;
  int depth_ = 0;
  std::size_t schemas_ = 0;
  std::size_t pattern_bytes_ = 0;
};

}  // namespace switchyard::grammar::internal
