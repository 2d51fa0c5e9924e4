#include "model/internal/jinja/operators.h"

#include <algorithm>
#include <string>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/formatting.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/numbers.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

std::string_view CompareSymbol(CompareOp op) {
  switch (op) {
    case CompareOp::kLt:
      return "<";
    case CompareOp::kLe:
      return "<=";
    case CompareOp::kGt:
      return ">";
    default:
      return ">=";
  }
}

// left < right or, with `or_equal`, left <= right; `swapped` where the template wrote > or >=.
bool Ordered(Arena& arena, const Value& left, const Value& right, bool or_equal, bool swapped,
             int depth) {
  if (depth > kMaxValueDepth) {
    Raise(FailureKind::kLimit, "values nested deeper than {} levels are compared", kMaxValueDepth);
  }
  if (left.Is(Kind::kUndefined)) left.FailUndefined();
  if (right.Is(Kind::kUndefined)) right.FailUndefined();
  if (left.IsIntegral() && right.IsIntegral()) {
    return or_equal ? left.AsInt() <= right.AsInt() : left.AsInt() < right.AsInt();
  }
  if (left.IsNumber() && right.IsNumber()) {
    const auto wide = [](const Value& v) {
      return v.Is(Kind::kFloat) ? static_cast<long double>(v.AsFloat())
                                : static_cast<long double>(v.AsInt());
    };
    return or_equal ? wide(left) <= wide(right) : wide(left) < wide(right);
  }
  if (left.Is(Kind::kString) && right.Is(Kind::kString)) {
    // The order of UTF-8's bytes is that of code points.
    arena.Spend(std::min(left.AsString().size(), right.AsString().size()) / 64);
    return or_equal ? left.AsString() <= right.AsString() : left.AsString() < right.AsString();
  }
  if (left.IsSequence() && left.kind() == right.kind()) {
    const auto a = left.AsItems();
    const auto b = right.AsItems();
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      arena.Spend(1);
      if (!Equals(arena, a[i], b[i], depth + 1)) {
        return Ordered(arena, a[i], b[i], or_equal, swapped, depth + 1);
      }
    }
    return or_equal ? a.size() <= b.size() : a.size() < b.size();
  }
  const CompareOp op = or_equal ? (swapped ? CompareOp::kGe : CompareOp::kLe)
                                : (swapped ? CompareOp::kGt : CompareOp::kLt);
  Raise(FailureKind::kType, "'{}' not supported between instances of '{}' and '{}'",
        CompareSymbol(op), TypeName(swapped ? right : left), TypeName(swapped ? left : right));
}

[[noreturn]] void FailOperands(ArithmeticOp op, const Value& left, const Value& right) {
  if (op == ArithmeticOp::kAdd && (left.Is(Kind::kString) || left.IsSequence())) {
    Raise(FailureKind::kType, "can only concatenate {} (not \"{}\") to {}", TypeName(left),
          TypeName(right), TypeName(left));
  }
  Raise(FailureKind::kType, "unsupported operand type(s) for {}: '{}' and '{}'",
        op == ArithmeticOp::kPower ? "** or pow()" : Symbol(op), TypeName(left), TypeName(right));
}

Value Repeat(Arena& arena, const Value& value, std::int64_t times) {
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  if (value.Is(Kind::kString)) {
    TextBuilder out(arena);
    out.Repeat(value.AsString(), count);
    return value.IsMarkup() ? Value::Markup(out.Finish()) : Value::String(out.Finish());
  }
  const auto items = value.AsItems();
  if (items.empty() || count == 0) {
    return value.Is(Kind::kTuple) ? Value::Tuple({}) : Value::List({});
  }
  if (count > arena.remaining_bytes() / sizeof(Value) / items.size()) {
    Raise(FailureKind::kLimit, "the template repeats a list of {} items {} times", items.size(),
          count);
  }
  arena.Spend(items.size() * count);
  Value* place = arena.AllocateArray<Value>(items.size() * count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uninitialized_copy(items.begin(), items.end(), place + i * items.size());
  }
  const std::span<const Value> all(place, items.size() * count);
  return value.Is(Kind::kTuple) ? Value::Tuple(all) : Value::List(all);
}

Value JoinSequences(Arena& arena, const Value& left, const Value& right) {
  const auto a = left.AsItems();
  const auto b = right.AsItems();
  if (a.size() + b.size() == 0) return left;
  arena.Spend(a.size() + b.size());
  Value* place = arena.AllocateArray<Value>(a.size() + b.size());
  std::uninitialized_copy(a.begin(), a.end(), place);
  std::uninitialized_copy(b.begin(), b.end(), place + a.size());
  const std::span<const Value> all(place, a.size() + b.size());
  return left.Is(Kind::kTuple) ? Value::Tuple(all) : Value::List(all);
}

// Python's slice.indices: the first index, the step and how many items.
struct SliceRange {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::size_t count = 0;
};

SliceRange ResolveSlice(const Value& start, const Value& stop, const Value& step,
                        std::size_t size) {
  const auto given = [](const Value& v) { return !v.Is(Kind::kMissing) && !v.Is(Kind::kNone); };
  for (const Value* bound : {&start, &stop, &step}) {
    if (!given(*bound) || bound->IsIntegral()) continue;
    Raise(FailureKind::kType, "slice indices must be integers or None or have an __index__ method");
  }
  SliceRange range;
  const auto length = static_cast<std::int64_t>(size);
  if (given(step)) range.step = step.AsInt();
  if (range.step == 0) Raise(FailureKind::kValue, "slice step cannot be zero");
  const bool backward = range.step < 0;
  const auto bound = [&](const Value& value, std::int64_t otherwise) {
    if (!given(value)) return otherwise;
    std::int64_t index = value.AsInt();
    if (index < 0) index = index < -length ? -1 : index + length;
    if (index < 0) return backward ? std::int64_t{-1} : std::int64_t{0};
    return std::min(index, backward ? length - 1 : length);
  };
  range.start = bound(start, backward ? length - 1 : 0);
  const std::int64_t end = bound(stop, backward ? -1 : length);
  const std::int64_t distance = backward ? range.start - end : end - range.start;
  if (distance > 0) {
    const std::uint64_t stride = backward ? 0 - static_cast<std::uint64_t>(range.step)
                                          : static_cast<std::uint64_t>(range.step);
    range.count = static_cast<std::size_t>((static_cast<std::uint64_t>(distance) - 1) / stride + 1);
  }
  return range;
}

Value SliceText(Arena& arena, const Value& text, const Value& start, const Value& stop,
                const Value& step) {
  const std::string_view chars = text.AsString();
  arena.Spend(chars.size() / 32);
  const SliceRange range = ResolveSlice(start, stop, step, unicode::CountCodePoints(chars));
  std::string_view result;
  if (range.count > 0 && range.step == 1) {
    const std::size_t from = unicode::OffsetOf(chars, static_cast<std::size_t>(range.start));
    const std::string_view rest = chars.substr(from);
    result = rest.substr(0, unicode::OffsetOf(rest, range.count));
  } else if (range.count > 0) {
    if (chars.size() > arena.remaining_bytes() / sizeof(std::size_t)) {
      Raise(FailureKind::kLimit, "a slice with a step needs a shorter text than {} bytes",
            chars.size());
    }
    std::vector<std::size_t> offsets;
    for (std::size_t i = 0; i < chars.size();) {
      offsets.push_back(i);
      unicode::DecodeNext(chars, &i);
    }
    offsets.push_back(chars.size());
    TextBuilder out(arena);
    std::int64_t index = range.start;
    for (std::size_t i = 0; i < range.count; ++i) {
      const auto at = static_cast<std::size_t>(index);
      out.Append(chars.substr(offsets[at], offsets[at + 1] - offsets[at]));
      if (i + 1 < range.count) index += range.step;
    }
    result = out.Finish();
  }
  return text.IsMarkup() ? Value::Markup(result) : Value::String(result);
}

}  // namespace

std::string_view EscapedText(Arena& arena, const Value& value) {
  if (value.IsMarkup()) return value.AsString();
  TextBuilder out(arena);
  EscapeHtml(ToText(arena, value), out);
  return out.Finish();
}

Value JoinTexts(Arena& arena, const Value& left, const Value& right) {
  TextBuilder out(arena);
  if (!left.IsMarkup() && !right.IsMarkup()) {
    out.Append(left.AsString());
    out.Append(right.AsString());
    return Value::String(out.Finish());
  }
  out.Append(EscapedText(arena, left));
  out.Append(EscapedText(arena, right));
  return Value::Markup(out.Finish());
}

Value Compute(Renderer& renderer, ArithmeticOp op, const Value& left, const Value& right) {
  if (left.IsNumber() && right.IsNumber()) return ComputeNumbers(op, left, right);
  Arena& arena = renderer.arena();
  if (op == ArithmeticOp::kModulo && left.Is(Kind::kString)) {
    return FormatPercent(renderer, left, right);
  }
  if (left.Is(Kind::kUndefined)) left.FailUndefined();
  if (right.Is(Kind::kUndefined)) right.FailUndefined();
  if (op == ArithmeticOp::kAdd) {
    if (left.Is(Kind::kString) && right.Is(Kind::kString)) return JoinTexts(arena, left, right);
    if (left.IsSequence() && left.kind() == right.kind()) return JoinSequences(arena, left, right);
  }
  if (op == ArithmeticOp::kMultiply) {
    if ((left.Is(Kind::kString) || left.IsSequence()) && right.IsIntegral()) {
      return Repeat(arena, left, right.AsInt());
    }
    if ((right.Is(Kind::kString) || right.IsSequence()) && left.IsIntegral()) {
      return Repeat(arena, right, left.AsInt());
    }
  }
  FailOperands(op, left, right);
}

bool IsLess(Arena& arena, const Value& left, const Value& right) {
  return Ordered(arena, left, right, false, false, 0);
}

bool Compares(Renderer& renderer, CompareOp op, const Value& left, const Value& right) {
  Arena& arena = renderer.arena();
  switch (op) {
    case CompareOp::kEq:
      return Equals(arena, left, right);
    case CompareOp::kNe:
      return !Equals(arena, left, right);
    case CompareOp::kLt:
      return Ordered(arena, left, right, false, false, 0);
    case CompareOp::kLe:
      return Ordered(arena, left, right, true, false, 0);
    case CompareOp::kGt:
      return Ordered(arena, right, left, false, true, 0);
    case CompareOp::kGe:
      return Ordered(arena, right, left, true, true, 0);
    case CompareOp::kIn:
      return Contains(renderer, right, left);
    case CompareOp::kNotIn:
      return !Contains(renderer, right, left);
  }
  return false;
}

bool Contains(Renderer& renderer, const Value& container, const Value& item) {
  Arena& arena = renderer.arena();
  switch (container.kind()) {
    case Kind::kString:
      if (!item.Is(Kind::kString)) {
        Raise(FailureKind::kType, "'in <string>' requires string as left operand, not {}",
              TypeName(item));
      }
      arena.Spend(container.AsString().size() / 16);
      return container.AsString().find(item.AsString()) != std::string_view::npos;
    case Kind::kDict:
      return container.AsDict().Find(item) != nullptr;
    default:
      break;
  }
  Iterator* iterator = FindIterator(renderer, container);
  if (iterator == nullptr) {
    Raise(FailureKind::kType, "argument of type '{}' is not iterable", TypeName(container));
  }
  for (Value value; iterator->Next(&value);) {
    arena.Spend(1);
    if (Equals(arena, value, item)) return true;
  }
  return false;
}

Value SliceOf(Renderer& renderer, const Value& object, const Value& start, const Value& stop,
              const Value& step) {
  Arena& arena = renderer.arena();
  if (object.Is(Kind::kUndefined)) object.FailUndefined();
  if (object.Is(Kind::kString)) return SliceText(arena, object, start, stop, step);
  std::span<const Value> items;
  if (object.IsSequence()) {
    items = object.AsItems();
  } else if (object.Is(Kind::kObject) && object.AsObject().IsIndexable()) {
    items = ItemsOf(renderer, object);
  } else if (object.Is(Kind::kDict)) {
    Raise(FailureKind::kType, "unhashable type: 'slice'");
  } else {
    Raise(FailureKind::kType, "'{}' object is not subscriptable", TypeName(object));
  }
  const SliceRange range = ResolveSlice(start, stop, step, items.size());
  std::span<const Value> result;
  if (range.count > 0 && range.step == 1) {
    result = items.subspan(static_cast<std::size_t>(range.start), range.count);
  } else if (range.count > 0) {
    ListBuilder out(arena);
    std::int64_t index = range.start;
    for (std::size_t i = 0; i < range.count; ++i) {
      out.Append(items[static_cast<std::size_t>(index)]);
      if (i + 1 < range.count) index += range.step;
    }
    result = out.Finish();
  }
  return object.Is(Kind::kTuple) ? Value::Tuple(result) : Value::List(result);
}

Value ItemOf(Renderer& renderer, const Value& object, const Value& index) {
  if (object.Is(Kind::kDict)) {
    if (index.Is(Kind::kList) || index.Is(Kind::kDict)) return {};
    const Value* found = object.AsDict().Find(index);
    return found == nullptr ? Value() : *found;
  }
  if (object.Is(Kind::kObject)) return object.AsObject().Item(renderer, index);
  if (!index.IsIntegral()) return {};
  const auto position = [&](std::size_t size) -> std::size_t {
    const std::int64_t i = index.AsInt();
    if (i >= 0) return static_cast<std::size_t>(i);
    const auto length = static_cast<std::int64_t>(size);
    return i < -length ? size : static_cast<std::size_t>(i + length);
  };
  if (object.IsSequence()) {
    const auto items = object.AsItems();
    const std::size_t at = position(items.size());
    return at < items.size() ? items[at] : Value();
  }
  if (object.Is(Kind::kString)) {
    const std::string_view text = object.AsString();
    renderer.arena().Spend(text.size() / 32);
    const std::size_t at = position(index.AsInt() < 0 ? unicode::CountCodePoints(text) : 0);
    const std::size_t start = unicode::OffsetOf(text, at);
    if (start >= text.size()) return {};
    std::size_t end = start;
    unicode::DecodeNext(text, &end);
    const std::string_view unit = text.substr(start, end - start);
    return object.IsMarkup() ? Value::Markup(unit) : Value::String(unit);
  }
  return {};
}

std::size_t LengthOf(Renderer& renderer, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      renderer.arena().Spend(value.AsString().size() / 64);
      return unicode::CountCodePoints(value.AsString());
    case Kind::kList:
    case Kind::kTuple:
      return value.AsItems().size();
    case Kind::kDict:
      return value.AsDict().entries().size();
    case Kind::kObject:
      if (const auto length = value.AsObject().Length()) return *length;
      break;
    default:
      break;
  }
  Raise(FailureKind::kType, "object of type '{}' has no len()", TypeName(value));
}

}  // namespace switchyard::model::jinja
