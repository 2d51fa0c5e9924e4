// Builds a template's tree from its tokens: jinja2's grammar with loop controls and the generation
// tag; no inheritance and no other files. Nesting is bounded, so the tree may be walked
// recursively. Statements are in parser.cc, expressions in parser_expressions.cc.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/internal/jinja/ast.h"
#include "model/internal/jinja/lexer.h"

namespace switchyard::model::jinja {

class Parser {
 public:
  // Sets *line to where the parser is, for the reader of a failure.
  Parser(std::vector<Token> tokens, int* line) : tokens_(std::move(tokens)), line_(*line) {}

  Block ParseTemplate();  // fails with kSyntax

 private:
  class Nesting;

  // Tokens.
  const Token& Current() const { return tokens_[position_]; }
  const Token& Following() const;
  bool IsName(std::string_view name) const;
  bool IsOperator(std::string_view op) const;
  bool SkipName(std::string_view name);
  bool SkipOperator(std::string_view op);
  const Token& Take();
  const Token& Expect(TokenKind kind, std::string_view what);
  void ExpectOperator(std::string_view op);
  [[noreturn]] void FailExpected(std::string_view what) const;

  // Statements.
  Block ParseUntil(std::initializer_list<std::string_view> end_tags);
  Block ParseBody(std::initializer_list<std::string_view> end_tags);
  Block ParseHardBody(std::initializer_list<std::string_view> end_tags, bool ends_loop);
  std::unique_ptr<Statement> ParseStatement();
  std::unique_ptr<Statement> ParseIf();
  std::unique_ptr<Statement> ParseFor();
  std::unique_ptr<Statement> ParseSet();
  std::unique_ptr<Statement> ParseMacro();
  std::unique_ptr<Statement> ParseCallBlock();
  std::unique_ptr<Statement> ParseFilterBlock();
  std::unique_ptr<Statement> ParseWith();
  std::unique_ptr<Statement> ParseGeneration();
  std::unique_ptr<Statement> ParsePrint();
  void ParseSignature(MacroBody* macro);
  [[noreturn]] void FailUnknownTag(const std::string& tag) const;

  // Expressions.
  ExprPtr ParseExpression(bool with_conditional = true);
  ExprPtr ParseConditional();
  ExprPtr ParseLogical(bool is_or);
  ExprPtr ParseNot();
  ExprPtr ParseCompare();
  ExprPtr ParseSum();
  ExprPtr ParseConcat();
  ExprPtr ParseProduct();
  ExprPtr ParsePower();
  ExprPtr ParseUnary(bool with_filter = true);
  ExprPtr ParsePrimary(bool with_namespace = false);
  ExprPtr ParseName(bool with_namespace);
  ExprPtr ParseList();
  ExprPtr ParseDict();
  ExprPtr ParsePostfix(ExprPtr node);
  ExprPtr ParseSubscript(ExprPtr node);
  ExprPtr ParseIndexOrSlice(ExprPtr object, int line);
  ExprPtr ParseCall(ExprPtr callee);
  ArgumentList ParseArguments();
  ExprPtr ParseFilters(ExprPtr node);  // | and is
  ExprPtr ParseFilter(ExprPtr input, bool after_pipe);
  ExprPtr ParseTest(ExprPtr input);

  struct TupleRules {
    bool simplified = false;  // names and literals only, for assignment targets
    bool with_conditional = true;
    bool in_parentheses = false;
    bool with_namespace = false;
  };
  ExprPtr ParseTuple(const TupleRules& rules);
  ExprPtr ParseTarget(bool with_namespace);
  std::string ParseTargetName();

  template <typename Node>
  std::unique_ptr<Node> Make(int line) {
    auto node = std::make_unique<Node>();
    node->line = line;
    return node;
  }
  // Notes that `parent` holds `child`.
  void Adopt(Expr* parent, const Expr* child);
  void AdoptArguments(Expr* parent, const ArgumentList& arguments);

  std::vector<Token> tokens_;
  std::size_t position_ = 0;
  int& line_;
  int nesting_ = 0;
  int loops_ = 0;  // open in the current macro
  // Inside if, an unknown filter or test fails only where it is reached, as in jinja2; elsewhere
  // the template is refused.
  bool is_soft_ = false;
  std::vector<std::pair<int, std::string>> unknown_names_;  // line, message
  std::vector<std::string> open_tags_;
};

}  // namespace switchyard::model::jinja
