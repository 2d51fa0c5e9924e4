#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/filters.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"

namespace switchyard::model::jinja {

Value Renderer::Eval(const Expr& expr, Frame* frame) {
  arena_.Spend(1);
  if (expr.kind == ExprKind::kLiteral) return static_cast<const Literal&>(expr).value;
  if (expr.kind == ExprKind::kName) return EvalName(static_cast<const Name&>(expr), frame);
  DepthGuard depth(arena_);
  Value constant;
  if (expr.folds() && !is_folding_ && Fold(expr, /*takes_undefined=*/false, &constant)) {
    return constant;
  }
  return EvalNode(expr, frame);
}

// What can't be computed ahead is computed, and fails, when it is reached.
bool Renderer::Fold(const Expr& expr, bool takes_undefined, Value* value) {
  is_folding_ = true;
  bool succeeds = false;
  try {
    *value = EvalNode(expr, nullptr);  // it reads no variable
    succeeds = takes_undefined || !value->Is(Kind::kUndefined);
  } catch (const Failure& failure) {
    if (failure.kind() == FailureKind::kLimit) throw;
  }
  is_folding_ = false;
  return succeeds;
}

Value Renderer::EvalNode(const Expr& expr, Frame* frame) {
  switch (expr.kind) {
    case ExprKind::kSequence:
      return EvalSequence(static_cast<const Sequence&>(expr), frame);
    case ExprKind::kDict:
      return EvalDict(static_cast<const DictDisplay&>(expr), frame);
    case ExprKind::kNot:
      return Value::Bool(!IsTrue(Eval(*static_cast<const Not&>(expr).operand, frame)));
    case ExprKind::kSign:
      return EvalSign(static_cast<const Sign&>(expr), frame);
    case ExprKind::kArithmetic:
      return EvalArithmetic(static_cast<const Arithmetic&>(expr), frame);
    case ExprKind::kLogical:
      return EvalLogical(static_cast<const Logical&>(expr), frame);
    case ExprKind::kConcat:
      return EvalConcat(static_cast<const Concat&>(expr), frame);
    case ExprKind::kCompare:
      return EvalCompare(static_cast<const Compare&>(expr), frame);
    case ExprKind::kConditional:
      return EvalConditional(static_cast<const Conditional&>(expr), frame);
    case ExprKind::kAttribute:
      return EvalAttribute(static_cast<const Attribute&>(expr), frame);
    case ExprKind::kSubscript:
      return EvalSubscript(static_cast<const Subscript&>(expr), frame);
    case ExprKind::kSlice:
      return EvalSlice(static_cast<const Slice&>(expr), frame);
    case ExprKind::kCall:
      return EvalCall(static_cast<const jinja::Call&>(expr), frame, Value());
    case ExprKind::kFilter:
      return EvalFilter(static_cast<const Filter&>(expr), frame);
    case ExprKind::kTest:
      return EvalTest(static_cast<const Test&>(expr), frame);
    case ExprKind::kLiteral:
    case ExprKind::kName:
    case ExprKind::kNamespaceRef:
      break;
  }
  return Value::None();
}

Value Renderer::EvalName(const Name& node, Frame* frame) {
  const Value& value = SlotOf(node.variable, frame);
  if (!value.Is(Kind::kMissing)) return value;
  return Value::Undefined(UndefinedReason::kVariable, node.name);
}

Value Renderer::EvalSequence(const Sequence& node, Frame* frame) {
  ListBuilder items(arena_);
  for (const ExprPtr& item : node.items) items.Append(Eval(*item, frame));
  return node.is_tuple ? Value::Tuple(items.Finish()) : Value::List(items.Finish());
}

Value Renderer::EvalDict(const DictDisplay& node, Frame* frame) {
  Dict* dict = arena_.New<Dict>(arena_);
  for (const auto& [key_expr, value_expr] : node.entries) {
    const Value key = Eval(*key_expr, frame);
    const Value value = Eval(*value_expr, frame);
    line_ = node.line;
    dict->Set(key, value);
  }
  return Value::Of(dict);
}

Value Renderer::EvalSign(const Sign& node, Frame* frame) {
  const Value operand = Eval(*node.operand, frame);
  line_ = node.line;
  if (operand.Is(Kind::kUndefined)) operand.FailUndefined();
  if (!operand.IsNumber()) {
    Raise(FailureKind::kType, "bad operand type for unary {}: '{}'", node.negative ? '-' : '+',
          TypeName(operand));
  }
  if (node.negative) return Negate(operand);
  return operand.Is(Kind::kBool) ? Value::Int(operand.AsInt()) : operand;
}

Value Renderer::EvalArithmetic(const Arithmetic& node, Frame* frame) {
  const Value left = Eval(*node.left, frame);
  const Value right = Eval(*node.right, frame);
  line_ = node.line;
  return Compute(*this, node.op, left, right);
}

Value Renderer::EvalLogical(const Logical& node, Frame* frame) {
  Value value;
  for (const ExprPtr& operand : node.operands) {
    value = Eval(*operand, frame);
    if (IsTrue(value) == node.is_or) break;
  }
  return value;
}

Value Renderer::EvalConcat(const Concat& node, Frame* frame) {
  TextBuilder out(arena_);
  for (const ExprPtr& operand : node.operands) {
    const Value value = Eval(*operand, frame);
    line_ = node.line;
    PrintText(value, out);
  }
  return Value::String(out.Finish());
}

// As in Python, a < b < c means a < b and b < c.
Value Renderer::EvalCompare(const Compare& node, Frame* frame) {
  Value left = Eval(*node.first, frame);
  for (const auto& [op, operand] : node.rest) {
    const Value right = Eval(*operand, frame);
    line_ = node.line;
    if (!Compares(*this, op, left, right)) return Value::Bool(false);
    left = right;
  }
  return Value::Bool(true);
}

Value Renderer::EvalConditional(const Conditional& node, Frame* frame) {
  if (IsTrue(Eval(*node.condition, frame))) return Eval(*node.then, frame);
  if (node.otherwise) return Eval(*node.otherwise, frame);
  return Undefined(
      fmt::format("the inline if-expression on line {} evaluated to false and no else "
                  "section was defined.",
                  node.line));
}

Value Renderer::EvalAttribute(const Attribute& node, Frame* frame) {
  const Value object = Eval(*node.object, frame);
  line_ = node.line;
  return GetAttribute(object, node.name);
}

Value Renderer::EvalSubscript(const Subscript& node, Frame* frame) {
  const Value object = Eval(*node.object, frame);
  const Value index = Eval(*node.index, frame);
  line_ = node.line;
  return GetItem(object, index);
}

Value Renderer::EvalSlice(const Slice& node, Frame* frame) {
  const auto bound = [&](const ExprPtr& expr) { return expr ? Eval(*expr, frame) : Value(); };
  const Value object = Eval(*node.object, frame);
  const Value start = bound(node.start);
  const Value stop = bound(node.stop);
  const Value step = bound(node.step);
  line_ = node.line;
  if (!is_folding_) return SliceOf(*this, object, start, stop, step);
  // jinja2 folds by its own function for elements, for which a wrong type is an absent element.
  try {
    return SliceOf(*this, object, start, stop, step);
  } catch (const Failure& failure) {
    if (failure.kind() != FailureKind::kType) throw;
    return Value::Undefined(UndefinedReason::kElement, "slice", object.kind());
  }
}

Value Renderer::EvalCall(const jinja::Call& node, Frame* frame, const Value& caller) {
  const Value callee = Eval(*node.callee, frame);
  const Arguments arguments = EvalArguments(node.arguments, frame, caller);
  line_ = node.line;
  return Call(callee, arguments);
}

Value Renderer::EvalFilter(const Filter& node, Frame* frame, const Value* block_text) {
  DepthGuard depth(arena_);
  Value input;
  if (node.input == nullptr) {
    input = *block_text;
  } else if (block_text != nullptr) {  // a filter block's chain: the innermost gets the text
    input = EvalFilter(static_cast<const Filter&>(*node.input), frame, block_text);
  } else {
    input = Eval(*node.input, frame);
  }
  const Arguments arguments = EvalArguments(node.arguments, frame, Value());
  line_ = node.line;
  if (node.filter == nullptr)
    Raise(FailureKind::kRuntime, "No filter named '{}' found.", node.name);
  ChargeTexts(input, arguments);
  return node.filter->apply(*this, input, arguments);
}

Value Renderer::EvalTest(const Test& node, Frame* frame) {
  const Value input = Eval(*node.input, frame);
  const Arguments arguments = EvalArguments(node.arguments, frame, Value());
  line_ = node.line;
  if (node.test == nullptr) Raise(FailureKind::kRuntime, "No test named '{}' found.", node.name);
  ChargeTexts(input, arguments);
  return Value::Bool(node.test->holds(*this, input, arguments));
}

}  // namespace switchyard::model::jinja
