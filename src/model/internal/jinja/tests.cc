#include <algorithm>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/filters.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/numbers.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/jinja/text.h"

namespace switchyard::model::jinja {
namespace {

// A test without parameters, on the value alone.
template <bool (*kHolds)(const Value&)>
bool Check(Renderer&, const Value& value, const Arguments& arguments) {
  ExpectNoArguments("the test", arguments);
  return kHolds(value);
}

bool IsDefined(const Value& value) { return !value.Is(Kind::kUndefined); }
bool IsUndefined(const Value& value) { return value.Is(Kind::kUndefined); }
bool IsNone(const Value& value) { return value.Is(Kind::kNone); }
bool IsBoolean(const Value& value) { return value.Is(Kind::kBool); }
bool IsTrueItself(const Value& value) { return value.Is(Kind::kBool) && value.AsBool(); }
bool IsFalseItself(const Value& value) { return value.Is(Kind::kBool) && !value.AsBool(); }
bool IsInteger(const Value& value) { return value.Is(Kind::kInt); }
bool IsFloat(const Value& value) { return value.Is(Kind::kFloat); }
bool IsAnyNumber(const Value& value) { return value.IsNumber(); }
bool IsString(const Value& value) { return value.Is(Kind::kString); }
bool IsMapping(const Value& value) { return value.Is(Kind::kDict); }
bool IsEscaped(const Value& value) { return value.IsMarkup(); }

// What has a length and items by index; Undefined has both.
bool IsSequence(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
      return true;
    case Kind::kObject:
      return value.AsObject().Length().has_value() && value.AsObject().IsIndexable();
    default:
      return false;
  }
}

bool IsCallable(const Value& value) {
  return value.Is(Kind::kUndefined) ||  // as jinja2's Undefined has a __call__
         (value.Is(Kind::kObject) && value.AsObject().IsCallable());
}

bool IsIterable(Renderer& renderer, const Value& value, const Arguments& arguments) {
  ExpectNoArguments("iterable", arguments);
  return FindIterator(renderer, value) != nullptr;
}

Value Remainder(Renderer& renderer, const Value& value, const Value& divisor) {
  return Compute(renderer, ArithmeticOp::kModulo, value, divisor);
}

bool IsOdd(Renderer& renderer, const Value& value, const Arguments& arguments) {
  ExpectNoArguments("odd", arguments);
  return Equals(renderer.arena(), Remainder(renderer, value, Value::Int(2)), Value::Int(1));
}

bool IsEven(Renderer& renderer, const Value& value, const Arguments& arguments) {
  ExpectNoArguments("even", arguments);
  return Equals(renderer.arena(), Remainder(renderer, value, Value::Int(2)), Value::Int(0));
}

bool IsDivisibleBy(Renderer& renderer, const Value& value, const Arguments& arguments) {
  const auto [divisor] = Bind("divisibleby", arguments, {"num"}, 1);
  return Equals(renderer.arena(), Remainder(renderer, value, divisor), Value::Int(0));
}

template <CompareOp kOp>
bool ComparesTo(Renderer& renderer, const Value& value, const Arguments& arguments) {
  const auto [other] = Bind("the test", arguments, {"other"}, 1);
  return Compares(renderer, kOp, value, other);
}

bool IsSameAs(Renderer& renderer, const Value& value, const Arguments& arguments) {
  const auto [other] = Bind("sameas", arguments, {"other"}, 1);
  if (value.kind() != other.kind()) return false;
  switch (value.kind()) {
    case Kind::kList:
    case Kind::kTuple:
      return value.AsItems().data() == other.AsItems().data() &&
             value.AsItems().size() == other.AsItems().size();
    case Kind::kDict:
      return &value.AsDict() == &other.AsDict();
    case Kind::kObject:
      return &value.AsObject() == &other.AsObject();
    default:
      return Equals(renderer.arena(), value, other);
  }
}

bool IsLowerCase(Renderer& renderer, const Value& value, const Arguments& arguments) {
  ExpectNoArguments("lower", arguments);
  return IsLowerText(ToText(renderer.arena(), value));
}

bool IsUpperCase(Renderer& renderer, const Value& value, const Arguments& arguments) {
  ExpectNoArguments("upper", arguments);
  return IsUpperText(ToText(renderer.arena(), value));
}

bool IsFilterName(const Value& value) {
  return value.Is(Kind::kString) && FindFilter(value.AsString()) != nullptr;
}

bool IsTestName(const Value& value) {
  return value.Is(Kind::kString) && FindTest(value.AsString()) != nullptr;
}

constexpr TestEntry kTests[] = {
    {"odd", IsOdd},
    {"even", IsEven},
    {"divisibleby", IsDivisibleBy},
    {"defined", Check<IsDefined>},
    {"undefined", Check<IsUndefined>},
    {"filter", Check<IsFilterName>},
    {"test", Check<IsTestName>},
    {"none", Check<IsNone>},
    {"boolean", Check<IsBoolean>},
    {"false", Check<IsFalseItself>},
    {"true", Check<IsTrueItself>},
    {"integer", Check<IsInteger>},
    {"float", Check<IsFloat>},
    {"lower", IsLowerCase},
    {"upper", IsUpperCase},
    {"string", Check<IsString>},
    {"mapping", Check<IsMapping>},
    {"number", Check<IsAnyNumber>},
    {"sequence", Check<IsSequence>},
    {"iterable", IsIterable},
    {"callable", Check<IsCallable>},
    {"sameas", IsSameAs},
    {"escaped", Check<IsEscaped>},
    {"in", ComparesTo<CompareOp::kIn>},
    {"==", ComparesTo<CompareOp::kEq>},
    {"eq", ComparesTo<CompareOp::kEq>},
    {"equalto", ComparesTo<CompareOp::kEq>},
    {"!=", ComparesTo<CompareOp::kNe>},
    {"ne", ComparesTo<CompareOp::kNe>},
    {">", ComparesTo<CompareOp::kGt>},
    {"gt", ComparesTo<CompareOp::kGt>},
    {"greaterthan", ComparesTo<CompareOp::kGt>},
    {"ge", ComparesTo<CompareOp::kGe>},
    {">=", ComparesTo<CompareOp::kGe>},
    {"<", ComparesTo<CompareOp::kLt>},
    {"lt", ComparesTo<CompareOp::kLt>},
    {"lessthan", ComparesTo<CompareOp::kLt>},
    {"<=", ComparesTo<CompareOp::kLe>},
    {"le", ComparesTo<CompareOp::kLe>},
};

}  // namespace

const TestEntry* FindTest(std::string_view name) {
  const auto found = std::find_if(std::begin(kTests), std::end(kTests),
                                  [name](const TestEntry& test) { return test.name == name; });
  return found == std::end(kTests) ? nullptr : found;
}

}  // namespace switchyard::model::jinja
