#include "model/internal/jinja/parser.h"

#include <algorithm>
#include <array>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/parser_nesting.h"

namespace switchyard::model::jinja {
namespace {

std::string Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kText:
      return "template data / text";
    case TokenKind::kVariableBegin:
      return "begin of print statement";
    case TokenKind::kVariableEnd:
      return "end of print statement";
    case TokenKind::kBlockBegin:
      return "begin of statement block";
    case TokenKind::kBlockEnd:
      return "end of statement block";
    case TokenKind::kName:
    case TokenKind::kOperator:
      return token.text;
    case TokenKind::kString:
      return "string";
    case TokenKind::kInteger:
      return "integer";
    case TokenKind::kFloat:
      return "float";
    case TokenKind::kEnd:
      return "end of template";
  }
  return "token";
}

}  // namespace

const Token& Parser::Following() const {
  return tokens_[std::min(position_ + 1, tokens_.size() - 1)];
}

bool Parser::IsName(std::string_view name) const {
  return Current().kind == TokenKind::kName && Current().text == name;
}

bool Parser::IsOperator(std::string_view op) const {
  return Current().kind == TokenKind::kOperator && Current().text == op;
}

const Token& Parser::Take() {
  const Token& token = Current();
  if (position_ + 1 < tokens_.size()) ++position_;
  line_ = Current().line;
  return token;
}

bool Parser::SkipName(std::string_view name) {
  if (!IsName(name)) return false;
  Take();
  return true;
}

bool Parser::SkipOperator(std::string_view op) {
  if (!IsOperator(op)) return false;
  Take();
  return true;
}

void Parser::FailExpected(std::string_view what) const {
  if (Current().kind == TokenKind::kEnd) {
    Raise(FailureKind::kSyntax, "unexpected end of template, expected '{}'.", what);
  }
  Raise(FailureKind::kSyntax, "expected token '{}', got '{}'", what, Describe(Current()));
}

const Token& Parser::Expect(TokenKind kind, std::string_view what) {
  if (Current().kind != kind) FailExpected(what);
  return Take();
}

void Parser::ExpectOperator(std::string_view op) {
  if (!SkipOperator(op)) FailExpected(op);
}

Block Parser::ParseTemplate() {
  Block body = ParseUntil({});
  if (!unknown_names_.empty()) {
    line_ = unknown_names_.front().first;
    Raise(FailureKind::kSyntax, "{}", unknown_names_.front().second);
  }
  return body;
}

// Parses up to one of `end_tags`, which stays the current token.
Block Parser::ParseUntil(std::initializer_list<std::string_view> end_tags) {
  Nesting nesting(*this);
  Block body;
  Output* output = nullptr;  // consecutive texts and prints make one statement
  const auto add_part = [&](ExprPtr part) {
    if (output == nullptr) {
      auto statement = std::make_unique<Output>();
      statement->line = part->line;
      output = statement.get();
      body.push_back(std::move(statement));
    }
    output->parts.push_back(std::move(part));
  };
  while (Current().kind != TokenKind::kEnd) {
    const int line = Current().line;
    switch (Current().kind) {
      case TokenKind::kText: {
        auto text = Make<Literal>(line);
        text->text = Take().text;
        text->value = Value::String(text->text);
        add_part(std::move(text));
        break;
      }
      case TokenKind::kVariableBegin:
        Take();
        add_part(ParseTuple({}));
        Expect(TokenKind::kVariableEnd, "end of print statement");
        break;
      case TokenKind::kBlockBegin:
        Take();
        if (std::any_of(end_tags.begin(), end_tags.end(),
                        [this](std::string_view tag) { return IsName(tag); })) {
          return body;
        }
        output = nullptr;
        body.push_back(ParseStatement());
        Expect(TokenKind::kBlockEnd, "end of statement block");
        break;
      default:
        FailExpected("template data / text");
    }
  }
  if (end_tags.size() != 0) {
    Raise(FailureKind::kSyntax,
          "Unexpected end of template. Jinja was looking for the following tags: '{}'. The "
          "innermost block that needs to be closed is '{}'.",
          fmt::join(end_tags, "' or '"), open_tags_.empty() ? "" : open_tags_.back());
  }
  return body;
}

Block Parser::ParseBody(std::initializer_list<std::string_view> end_tags) {
  SkipOperator(":");  // allowed, as in Python
  Expect(TokenKind::kBlockEnd, "end of statement block");
  return ParseUntil(end_tags);
}

// The body of a statement with its own frame, where unknown filters fail at once again. `ends_loop`
// where break and continue can't reach a loop outside.
Block Parser::ParseHardBody(std::initializer_list<std::string_view> end_tags, bool ends_loop) {
  const bool was_soft = std::exchange(is_soft_, false);
  const int loops = loops_;
  if (ends_loop) loops_ = 0;
  Block body = ParseBody(end_tags);
  is_soft_ = was_soft;
  loops_ = loops;
  return body;
}

std::unique_ptr<Statement> Parser::ParseStatement() {
  if (Current().kind != TokenKind::kName) Raise(FailureKind::kSyntax, "tag name expected");
  const std::string tag = Current().text;
  const int line = Current().line;
  open_tags_.push_back(tag);
  std::unique_ptr<Statement> statement;
  if (tag == "if") {
    statement = ParseIf();
  } else if (tag == "for") {
    statement = ParseFor();
  } else if (tag == "set") {
    statement = ParseSet();
  } else if (tag == "macro") {
    statement = ParseMacro();
  } else if (tag == "call") {
    statement = ParseCallBlock();
  } else if (tag == "filter") {
    statement = ParseFilterBlock();
  } else if (tag == "with") {
    statement = ParseWith();
  } else if (tag == "print") {
    statement = ParsePrint();
  } else if (tag == "generation") {
    statement = ParseGeneration();
  } else if (tag == "break" || tag == "continue") {
    if (loops_ == 0) Raise(FailureKind::kSyntax, "'{}' outside loop", tag);
    Take();
    statement =
        std::make_unique<Jump>(tag == "break" ? StatementKind::kBreak : StatementKind::kContinue);
  } else {
    open_tags_.pop_back();
    FailUnknownTag(tag);
  }
  statement->line = line;
  open_tags_.pop_back();
  return statement;
}

void Parser::FailUnknownTag(const std::string& tag) const {
  constexpr std::array<std::string_view, 6> kMultiFile = {"include", "import", "from",
                                                          "extends", "block",  "autoescape"};
  if (std::find(kMultiFile.begin(), kMultiFile.end(), tag) != kMultiFile.end()) {
    Raise(FailureKind::kSyntax,
          "the tag '{}' is not supported: a chat template must stand alone in one text", tag);
  }
  if (open_tags_.empty()) Raise(FailureKind::kSyntax, "Encountered unknown tag '{}'.", tag);
  Raise(FailureKind::kSyntax,
        "Encountered unknown tag '{}'. The innermost block that needs to be closed is '{}'.", tag,
        open_tags_.back());
}

std::unique_ptr<Statement> Parser::ParseIf() {
  auto node = std::make_unique<If>();
  const bool was_soft = std::exchange(is_soft_, true);
  while (true) {
    Take();  // if, elif
    TupleRules rules;
    rules.with_conditional = false;
    ExprPtr condition = ParseTuple(rules);
    Block body = ParseBody({"elif", "else", "endif"});
    node->branches.emplace_back(std::move(condition), std::move(body));
    if (!IsName("elif")) break;
  }
  if (SkipName("else")) node->otherwise = ParseBody({"endif"});
  Take();
  is_soft_ = was_soft;
  return node;
}

std::unique_ptr<Statement> Parser::ParseFor() {
  auto node = std::make_unique<For>();
  Take();
  node->target = ParseTarget(false);
  if (!SkipName("in")) FailExpected("in");
  TupleRules rules;
  rules.with_conditional = false;
  node->iterable = ParseTuple(rules);
  const bool was_soft = std::exchange(is_soft_, false);
  if (SkipName("if")) node->condition = ParseExpression();
  is_soft_ = was_soft;
  node->is_recursive = SkipName("recursive");
  ++loops_;
  node->body = ParseHardBody({"endfor", "else"}, false);
  --loops_;
  if (SkipName("else")) node->otherwise = ParseHardBody({"endfor"}, false);
  Take();
  return node;
}

std::unique_ptr<Statement> Parser::ParseSet() {
  Take();
  ExprPtr target = ParseTarget(true);
  if (SkipOperator("=")) {
    auto node = std::make_unique<Set>();
    node->target = std::move(target);
    node->value = ParseTuple({});
    return node;
  }
  auto node = std::make_unique<SetBlock>();
  node->target = std::move(target);
  while (IsOperator("|")) node->filter = ParseFilter(std::move(node->filter), true);
  node->body = ParseHardBody({"endset"}, false);
  Take();
  return node;
}

void Parser::ParseSignature(MacroBody* macro) {
  ExpectOperator("(");
  while (!IsOperator(")")) {
    if (!macro->parameters.empty()) ExpectOperator(",");
    std::string name = ParseTargetName();
    if (SkipOperator("=")) {
      macro->defaults.push_back(ParseExpression());
    } else if (!macro->defaults.empty()) {
      Raise(FailureKind::kSyntax, "non-default argument follows default argument");
    }
    if (std::find(macro->parameters.begin(), macro->parameters.end(), name) !=
        macro->parameters.end()) {
      Raise(FailureKind::kSyntax, "duplicate argument '{}' in function definition", name);
    }
    macro->parameters.push_back(std::move(name));
  }
  Take();
}

std::unique_ptr<Statement> Parser::ParseMacro() {
  auto node = std::make_unique<MacroStatement>();
  Take();
  node->macro.name = ParseTargetName();
  ParseSignature(&node->macro);
  node->macro.body = ParseHardBody({"endmacro"}, true);
  Take();
  return node;
}

std::unique_ptr<Statement> Parser::ParseCallBlock() {
  auto node = std::make_unique<CallBlock>();
  Take();
  if (IsOperator("(")) ParseSignature(&node->caller);
  ExprPtr call = ParseExpression();
  if (call->kind != ExprKind::kCall) Raise(FailureKind::kSyntax, "expected call");
  node->call.reset(static_cast<Call*>(call.release()));
  node->caller.body = ParseHardBody({"endcall"}, true);
  Take();
  return node;
}

std::unique_ptr<Statement> Parser::ParseFilterBlock() {
  auto node = std::make_unique<FilterBlock>();
  Take();
  node->filter = ParseFilter(nullptr, false);
  while (IsOperator("|")) node->filter = ParseFilter(std::move(node->filter), true);
  node->body = ParseHardBody({"endfilter"}, false);
  Take();
  return node;
}

std::unique_ptr<Statement> Parser::ParseWith() {
  auto node = std::make_unique<With>();
  Take();
  while (Current().kind != TokenKind::kBlockEnd) {
    if (!node->targets.empty()) ExpectOperator(",");
    node->targets.push_back(ParseTarget(false));
    ExpectOperator("=");
    node->values.push_back(ParseExpression());
  }
  node->body = ParseHardBody({"endwith"}, false);
  Take();
  return node;
}

std::unique_ptr<Statement> Parser::ParseGeneration() {
  auto node = std::make_unique<Generation>();
  Take();
  node->body = ParseHardBody({"endgeneration"}, true);
  Take();
  return node;
}

std::unique_ptr<Statement> Parser::ParsePrint() {
  auto node = std::make_unique<Output>();
  Take();
  while (Current().kind != TokenKind::kBlockEnd) {
    if (!node->parts.empty()) ExpectOperator(",");
    node->parts.push_back(ParseExpression());
  }
  return node;
}

}  // namespace switchyard::model::jinja
