#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/filters.h"
#include "model/internal/jinja/parser.h"
#include "model/internal/jinja/parser_nesting.h"

namespace switchyard::model::jinja {
namespace {

// Filters to which jinja2 hands the context, so that it can't compute them ahead.
bool NeedsContext(std::string_view filter) {
  constexpr std::array<std::string_view, 6> kFilters = {"map",        "select",     "reject",
                                                        "selectattr", "rejectattr", "random"};
  return std::ranges::find(kFilters, filter) != kFilters.end();
}

}  // namespace

void Parser::Adopt(Expr* parent, const Expr* child) {
  if (child == nullptr) return;
  parent->depth = std::max(parent->depth, child->depth + 1);
  parent->is_constant = parent->is_constant && child->is_constant;
  parent->has_slice = parent->has_slice || child->has_slice;
  if (parent->depth > kMaxTreeDepth) {
    Raise(FailureKind::kSyntax, "an expression has more than {} operations in a row",
          kMaxTreeDepth);
  }
}

void Parser::AdoptArguments(Expr* parent, const ArgumentList& arguments) {
  for (const ExprPtr& argument : arguments.positional) Adopt(parent, argument.get());
  for (const auto& [name, argument] : arguments.named) Adopt(parent, argument.get());
  Adopt(parent, arguments.more_positional.get());
  Adopt(parent, arguments.more_named.get());
}

ExprPtr Parser::ParseExpression(bool with_conditional) {
  return with_conditional ? ParseConditional() : ParseLogical(true);
}

ExprPtr Parser::ParseConditional() {
  Nesting nesting(*this);
  const int line = Current().line;
  const std::size_t unknown = unknown_names_.size();
  ExprPtr value = ParseLogical(true);
  while (IsName("if")) {
    Take();
    auto node = Make<Conditional>(line);
    node->then = std::move(value);
    node->condition = ParseLogical(true);
    if (SkipName("else")) node->otherwise = ParseConditional();
    Adopt(node.get(), node->then.get());
    Adopt(node.get(), node->condition.get());
    Adopt(node.get(), node->otherwise.get());
    value = std::move(node);
    unknown_names_.resize(unknown);
  }
  return value;
}

ExprPtr Parser::ParseLogical(bool is_or) {
  const int line = Current().line;
  const auto parse_operand = [&] { return is_or ? ParseLogical(false) : ParseNot(); };
  ExprPtr first = parse_operand();
  const std::string_view word = is_or ? "or" : "and";
  if (!IsName(word)) return first;
  auto node = Make<Logical>(line);
  node->is_or = is_or;
  Adopt(node.get(), first.get());
  node->operands.push_back(std::move(first));
  while (SkipName(word)) {
    node->operands.push_back(parse_operand());
    Adopt(node.get(), node->operands.back().get());
  }
  return node;
}

ExprPtr Parser::ParseNot() {
  if (!IsName("not")) return ParseCompare();
  Nesting nesting(*this);
  auto node = Make<Not>(Take().line);
  node->operand = ParseNot();
  Adopt(node.get(), node->operand.get());
  return node;
}

ExprPtr Parser::ParseCompare() {
  constexpr std::pair<std::string_view, CompareOp> kOperators[] = {
      {"==", CompareOp::kEq}, {"!=", CompareOp::kNe}, {"<", CompareOp::kLt},
      {"<=", CompareOp::kLe}, {">", CompareOp::kGt},  {">=", CompareOp::kGe}};
  const int line = Current().line;
  ExprPtr first = ParseSum();
  std::unique_ptr<Compare> node;
  while (true) {
    CompareOp op = CompareOp::kIn;
    const auto found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                    [this](const auto& entry) { return IsOperator(entry.first); });
    if (found != std::end(kOperators)) {
      op = found->second;
      Take();
    } else if (IsName("in")) {
      Take();
    } else if (IsName("not") && Following().kind == TokenKind::kName && Following().text == "in") {
      op = CompareOp::kNotIn;
      Take();
      Take();
    } else {
      break;
    }
    if (!node) {
      node = Make<Compare>(line);
      Adopt(node.get(), first.get());
      node->first = std::move(first);
    }
    node->rest.emplace_back(op, ParseSum());
    Adopt(node.get(), node->rest.back().second.get());
  }
  if (!node) return first;
  return node;
}

ExprPtr Parser::ParseSum() {
  ExprPtr left = ParseConcat();
  while (IsOperator("+") || IsOperator("-")) {
    auto node = Make<Arithmetic>(Current().line);
    node->op = Take().text == "+" ? ArithmeticOp::kAdd : ArithmeticOp::kSubtract;
    node->left = std::move(left);
    node->right = ParseConcat();
    Adopt(node.get(), node->left.get());
    Adopt(node.get(), node->right.get());
    left = std::move(node);
  }
  return left;
}

ExprPtr Parser::ParseConcat() {
  const int line = Current().line;
  ExprPtr first = ParseProduct();
  if (!IsOperator("~")) return first;
  auto node = Make<Concat>(line);
  Adopt(node.get(), first.get());
  node->operands.push_back(std::move(first));
  while (SkipOperator("~")) {
    node->operands.push_back(ParseProduct());
    Adopt(node.get(), node->operands.back().get());
  }
  return node;
}

ExprPtr Parser::ParseProduct() {
  constexpr std::pair<std::string_view, ArithmeticOp> kOperators[] = {
      {"*", ArithmeticOp::kMultiply},
      {"/", ArithmeticOp::kDivide},
      {"//", ArithmeticOp::kFloorDivide},
      {"%", ArithmeticOp::kModulo}};
  ExprPtr left = ParsePower();
  while (true) {
    const auto found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                    [this](const auto& entry) { return IsOperator(entry.first); });
    if (found == std::end(kOperators)) return left;
    auto node = Make<Arithmetic>(Take().line);
    node->op = found->second;
    node->left = std::move(left);
    node->right = ParsePower();
    Adopt(node.get(), node->left.get());
    Adopt(node.get(), node->right.get());
    left = std::move(node);
  }
}

ExprPtr Parser::ParsePower() {
  ExprPtr left = ParseUnary();
  while (IsOperator("**")) {
    auto node = Make<Arithmetic>(Take().line);
    node->op = ArithmeticOp::kPower;
    node->left = std::move(left);
    node->right = ParseUnary();
    Adopt(node.get(), node->left.get());
    Adopt(node.get(), node->right.get());
    left = std::move(node);
  }
  return left;
}

ExprPtr Parser::ParseUnary(bool with_filter) {
  ExprPtr node;
  if (IsOperator("-") || IsOperator("+")) {
    Nesting nesting(*this);
    const Token& sign = Take();
    auto signed_node = Make<Sign>(sign.line);
    signed_node->negative = sign.text == "-";
    signed_node->operand = ParseUnary(false);
    Adopt(signed_node.get(), signed_node->operand.get());
    node = std::move(signed_node);
  } else {
    node = ParsePrimary();
  }
  node = ParsePostfix(std::move(node));
  return with_filter ? ParseFilters(std::move(node)) : std::move(node);
}

ExprPtr Parser::ParseName(bool with_namespace) {
  const Token& token = Take();
  const auto constant = [&](Value value) {
    auto node = Make<Literal>(token.line);
    node->value = value;
    return node;
  };
  if (token.text == "true" || token.text == "True") return constant(Value::Bool(true));
  if (token.text == "false" || token.text == "False") return constant(Value::Bool(false));
  if (token.text == "none" || token.text == "None") return constant(Value::None());
  if (with_namespace && SkipOperator(".")) {
    auto node = Make<NamespaceRef>(token.line);
    node->name = token.text;
    node->attribute = Expect(TokenKind::kName, "name").text;
    return node;
  }
  auto node = Make<Name>(token.line);
  node->name = token.text;
  return node;
}

ExprPtr Parser::ParsePrimary(bool with_namespace) {
  const int line = Current().line;
  switch (Current().kind) {
    case TokenKind::kName:
      return ParseName(with_namespace);
    case TokenKind::kString: {
      auto node = Make<Literal>(line);
      while (Current().kind == TokenKind::kString) node->text += Take().text;
      node->value = Value::String(node->text);
      return node;
    }
    case TokenKind::kInteger: {
      auto node = Make<Literal>(line);
      node->value = Value::Int(Take().integer);
      return node;
    }
    case TokenKind::kFloat: {
      auto node = Make<Literal>(line);
      node->value = Value::Float(Take().real);
      return node;
    }
    default:
      break;
  }
  if (SkipOperator("(")) {
    TupleRules rules;
    rules.in_parentheses = true;
    ExprPtr node = ParseTuple(rules);
    ExpectOperator(")");
    return node;
  }
  if (IsOperator("[")) return ParseList();
  if (IsOperator("{")) return ParseDict();
  FailExpected("expression");
}

ExprPtr Parser::ParseTuple(const TupleRules& rules) {
  const int line = Current().line;
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) ExpectOperator(",");
    if (Current().kind == TokenKind::kVariableEnd || Current().kind == TokenKind::kBlockEnd ||
        IsOperator(")")) {
      break;
    }
    items.push_back(rules.simplified ? ParsePrimary(rules.with_namespace)
                                     : ParseExpression(rules.with_conditional));
    if (!IsOperator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return std::move(items.front());
    if (!rules.in_parentheses) FailExpected("expression");
  }
  auto node = Make<Sequence>(line);
  node->is_tuple = true;
  node->items = std::move(items);
  for (const ExprPtr& item : node->items) Adopt(node.get(), item.get());
  return node;
}

ExprPtr Parser::ParseTarget(bool with_namespace) {
  TupleRules rules;
  rules.simplified = true;
  rules.with_namespace = with_namespace;
  ExprPtr target = ParseTuple(rules);
  std::vector<const Expr*> parts = {target.get()};
  while (!parts.empty()) {
    const Expr* part = parts.back();
    parts.pop_back();
    const bool is_tuple =
        part->kind == ExprKind::kSequence && static_cast<const Sequence*>(part)->is_tuple;
    if (is_tuple) {
      for (const ExprPtr& item : static_cast<const Sequence*>(part)->items) {
        parts.push_back(item.get());
      }
    } else if (part->kind != ExprKind::kName && part->kind != ExprKind::kNamespaceRef) {
      Raise(FailureKind::kSyntax, "can't assign to this expression; write a name");
    }
  }
  return target;
}

std::string Parser::ParseTargetName() {
  const std::string name = Expect(TokenKind::kName, "name").text;
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (name == constant) Raise(FailureKind::kSyntax, "can't assign to '{}'", name);
  }
  return name;
}

ExprPtr Parser::ParseList() {
  auto node = Make<Sequence>(Take().line);
  while (!IsOperator("]")) {
    if (!node->items.empty()) ExpectOperator(",");
    if (IsOperator("]")) break;
    node->items.push_back(ParseExpression());
    Adopt(node.get(), node->items.back().get());
  }
  Take();
  return node;
}

ExprPtr Parser::ParseDict() {
  auto node = Make<DictDisplay>(Take().line);
  while (!IsOperator("}")) {
    if (!node->entries.empty()) ExpectOperator(",");
    if (IsOperator("}")) break;
    ExprPtr key = ParseExpression();
    ExpectOperator(":");
    ExprPtr value = ParseExpression();
    Adopt(node.get(), key.get());
    Adopt(node.get(), value.get());
    node->entries.emplace_back(std::move(key), std::move(value));
  }
  Take();
  return node;
}

ExprPtr Parser::ParsePostfix(ExprPtr node) {
  while (true) {
    if (IsOperator(".") || IsOperator("[")) {
      node = ParseSubscript(std::move(node));
    } else if (IsOperator("(")) {
      node = ParseCall(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::ParseSubscript(ExprPtr object) {
  const Token& opening = Take();
  if (opening.text == "[") return ParseIndexOrSlice(std::move(object), opening.line);
  if (Current().kind == TokenKind::kName) {
    auto node = Make<Attribute>(opening.line);
    node->name = Take().text;
    Adopt(node.get(), object.get());
    node->object = std::move(object);
    return node;
  }
  if (Current().kind != TokenKind::kInteger) {
    Raise(FailureKind::kSyntax, "expected name or number");
  }
  auto index = Make<Literal>(Current().line);
  index->value = Value::Int(Take().integer);
  auto node = Make<Subscript>(opening.line);
  Adopt(node.get(), object.get());
  node->object = std::move(object);
  node->index = std::move(index);
  return node;
}

ExprPtr Parser::ParseIndexOrSlice(ExprPtr object, int line) {
  const auto at_end = [this] { return IsOperator("]") || IsOperator(",") || IsOperator(":"); };
  ExprPtr first;
  if (!IsOperator(":")) first = ParseExpression();
  if (SkipOperator(":")) {
    auto node = Make<Slice>(line);
    node->start = std::move(first);
    if (!at_end()) node->stop = ParseExpression();
    if (SkipOperator(":") && !at_end()) node->step = ParseExpression();
    if (IsOperator(",")) Raise(FailureKind::kSyntax, "a slice in a tuple index is not supported");
    ExpectOperator("]");
    Adopt(node.get(), object.get());
    Adopt(node.get(), node->start.get());
    Adopt(node.get(), node->stop.get());
    Adopt(node.get(), node->step.get());
    node->object = std::move(object);
    return node;
  }
  auto node = Make<Subscript>(line);
  if (IsOperator(",")) {
    auto tuple = Make<Sequence>(line);
    tuple->is_tuple = true;
    Adopt(tuple.get(), first.get());
    tuple->items.push_back(std::move(first));
    while (SkipOperator(",")) {
      tuple->items.push_back(ParseExpression());
      Adopt(tuple.get(), tuple->items.back().get());
    }
    first = std::move(tuple);
  }
  ExpectOperator("]");
  Adopt(node.get(), object.get());
  Adopt(node.get(), first.get());
  node->object = std::move(object);
  node->index = std::move(first);
  return node;
}

ArgumentList Parser::ParseArguments() {
  ArgumentList list;
  const auto ensure = [](bool holds) {
    if (!holds) Raise(FailureKind::kSyntax, "invalid syntax for function call expression");
  };
  ExpectOperator("(");
  bool needs_comma = false;
  while (!IsOperator(")")) {
    if (needs_comma) {
      ExpectOperator(",");
      if (IsOperator(")")) break;
    }
    needs_comma = true;
    if (SkipOperator("*")) {
      ensure(!list.more_positional && !list.more_named);
      list.more_positional = ParseExpression();
    } else if (SkipOperator("**")) {
      ensure(!list.more_named);
      list.more_named = ParseExpression();
    } else if (Current().kind == TokenKind::kName && Following().kind == TokenKind::kOperator &&
               Following().text == "=") {
      ensure(!list.more_named);
      std::string name = Take().text;
      Take();
      for (const auto& [used, value] : list.named) {
        if (used == name) Raise(FailureKind::kSyntax, "keyword argument repeated: {}", name);
      }
      list.named.emplace_back(std::move(name), ParseExpression());
    } else {
      ensure(!list.more_positional && !list.more_named && list.named.empty());
      list.positional.push_back(ParseExpression());
    }
  }
  Take();
  return list;
}

ExprPtr Parser::ParseCall(ExprPtr callee) {
  auto node = Make<Call>(Current().line);
  node->arguments = ParseArguments();
  Adopt(node.get(), callee.get());
  AdoptArguments(node.get(), node->arguments);
  node->callee = std::move(callee);
  return node;
}

ExprPtr Parser::ParseFilters(ExprPtr node) {
  while (true) {
    if (IsOperator("|")) {
      node = ParseFilter(std::move(node), true);
    } else if (IsName("is")) {
      node = ParseTest(std::move(node));
    } else if (IsOperator("(")) {
      node = ParseCall(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::ParseFilter(ExprPtr input, bool after_pipe) {
  if (after_pipe) Take();
  auto node = Make<Filter>(Current().line);
  node->name = Expect(TokenKind::kName, "name").text;
  while (SkipOperator(".")) node->name += "." + Expect(TokenKind::kName, "name").text;
  if (IsOperator("(")) node->arguments = ParseArguments();
  node->filter = FindFilter(node->name);
  node->is_constant = input != nullptr && !NeedsContext(node->name);
  if (node->filter == nullptr && !is_soft_) {
    unknown_names_.push_back({node->line, fmt::format("No filter named '{}'.", node->name)});
  }
  Adopt(node.get(), input.get());
  AdoptArguments(node.get(), node->arguments);
  node->input = std::move(input);
  return node;
}

ExprPtr Parser::ParseTest(ExprPtr input) {
  const int line = Take().line;
  const bool negated = SkipName("not");
  auto node = Make<Test>(line);
  node->name = Expect(TokenKind::kName, "name").text;
  while (SkipOperator(".")) node->name += "." + Expect(TokenKind::kName, "name").text;
  const TokenKind kind = Current().kind;
  if (IsOperator("(")) {
    node->arguments = ParseArguments();
  } else if ((kind == TokenKind::kName || kind == TokenKind::kString ||
              kind == TokenKind::kInteger || kind == TokenKind::kFloat || IsOperator("[") ||
              IsOperator("{")) &&
             !IsName("else") && !IsName("or") && !IsName("and")) {
    if (IsName("is")) Raise(FailureKind::kSyntax, "You cannot chain multiple tests with is");
    node->arguments.positional.push_back(ParsePostfix(ParsePrimary()));
  }
  node->test = FindTest(node->name);
  if (node->test == nullptr && !is_soft_) {
    unknown_names_.push_back({node->line, fmt::format("No test named '{}'.", node->name)});
  }
  Adopt(node.get(), input.get());
  AdoptArguments(node.get(), node->arguments);
  node->input = std::move(input);
  if (!negated) return node;
  auto negation = Make<Not>(line);
  Adopt(negation.get(), node.get());
  negation->operand = std::move(node);
  return negation;
}

}  // namespace switchyard::model::jinja
