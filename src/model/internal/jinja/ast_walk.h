// Visits the direct children of an expression, in the order in which jinja2 visits them.
#pragma once

#include "model/internal/jinja/ast.h"

namespace switchyard::model::jinja {

template <typename Visit>
void ForEachArgument(ArgumentList& arguments, Visit visit) {
  for (ExprPtr& argument : arguments.positional) visit(*argument);
  for (auto& [name, argument] : arguments.named) visit(*argument);
  if (arguments.more_positional) visit(*arguments.more_positional);
  if (arguments.more_named) visit(*arguments.more_named);
}

template <typename Visit>
void ForEachChild(Expr& expr, Visit visit) {
  const auto visit_if = [&](ExprPtr& child) {
    if (child) visit(*child);
  };
  switch (expr.kind) {
    case ExprKind::kLiteral:
    case ExprKind::kName:
    case ExprKind::kNamespaceRef:
      return;
    case ExprKind::kSequence:
      for (ExprPtr& item : static_cast<Sequence&>(expr).items) visit(*item);
      return;
    case ExprKind::kDict:
      for (auto& [key, value] : static_cast<DictDisplay&>(expr).entries) {
        visit(*key);
        visit(*value);
      }
      return;
    case ExprKind::kNot:
      return visit(*static_cast<Not&>(expr).operand);
    case ExprKind::kSign:
      return visit(*static_cast<Sign&>(expr).operand);
    case ExprKind::kArithmetic:
      visit(*static_cast<Arithmetic&>(expr).left);
      return visit(*static_cast<Arithmetic&>(expr).right);
    case ExprKind::kLogical:
      for (ExprPtr& operand : static_cast<Logical&>(expr).operands) visit(*operand);
      return;
    case ExprKind::kConcat:
      for (ExprPtr& operand : static_cast<Concat&>(expr).operands) visit(*operand);
      return;
    case ExprKind::kCompare:
      visit(*static_cast<Compare&>(expr).first);
      for (auto& [op, operand] : static_cast<Compare&>(expr).rest) visit(*operand);
      return;
    case ExprKind::kConditional: {
      auto& node = static_cast<Conditional&>(expr);
      visit(*node.condition);
      visit(*node.then);
      return visit_if(node.otherwise);
    }
    case ExprKind::kAttribute:
      return visit(*static_cast<Attribute&>(expr).object);
    case ExprKind::kSubscript:
      visit(*static_cast<Subscript&>(expr).object);
      return visit(*static_cast<Subscript&>(expr).index);
    case ExprKind::kSlice: {
      auto& node = static_cast<Slice&>(expr);
      visit(*node.object);
      visit_if(node.start);
      visit_if(node.stop);
      return visit_if(node.step);
    }
    case ExprKind::kCall:
      visit(*static_cast<Call&>(expr).callee);
      return ForEachArgument(static_cast<Call&>(expr).arguments, visit);
    case ExprKind::kFilter:
      visit_if(static_cast<Filter&>(expr).input);
      return ForEachArgument(static_cast<Filter&>(expr).arguments, visit);
    case ExprKind::kTest:
      visit(*static_cast<Test&>(expr).input);
      return ForEachArgument(static_cast<Test&>(expr).arguments, visit);
  }
}

}  // namespace switchyard::model::jinja
