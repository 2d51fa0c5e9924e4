#include "model/internal/jinja/iteration.h"

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

constexpr std::size_t kMaxRangeItems = 100'000;  // jinja2.sandbox.MAX_RANGE

class ItemsIterator final : public Iterator {
 public:
  ItemsIterator(std::span<const Value> items, bool reversed) : items_(items), reversed_(reversed) {}
  bool Next(Value* value) override {
    if (next_ == items_.size()) return false;
    *value = items_[reversed_ ? items_.size() - 1 - next_ : next_];
    ++next_;
    return true;
  }

 private:
  std::span<const Value> items_;
  bool reversed_;
  std::size_t next_ = 0;
};

class TextIterator final : public Iterator {
 public:
  TextIterator(std::string_view text, bool reversed) : rest_(text), reversed_(reversed) {}
  bool Next(Value* value) override {
    if (rest_.empty()) return false;
    if (reversed_) {
      const std::size_t start = unicode::PreviousOffset(rest_, rest_.size());
      *value = Value::String(rest_.substr(start));
      rest_ = rest_.substr(0, start);
    } else {
      std::size_t end = 0;
      unicode::DecodeNext(rest_, &end);
      *value = Value::String(rest_.substr(0, end));
      rest_ = rest_.substr(end);
    }
    return true;
  }

 private:
  std::string_view rest_;
  bool reversed_;
};

class RangeIterator final : public Iterator {
 public:
  RangeIterator(std::int64_t first, std::int64_t step, std::size_t count)
      : next_(first), step_(step), remaining_(count) {}
  bool Next(Value* value) override {
    if (remaining_ == 0) return false;
    *value = Value::Int(next_);
    if (--remaining_ != 0) next_ += step_;
    return true;
  }

 private:
  std::int64_t next_;
  std::int64_t step_;
  std::size_t remaining_;
};

class DictIterator final : public Iterator {
 public:
  DictIterator(Arena& arena, const Dict& dict, DictView::Part part, bool reversed)
      : arena_(arena), dict_(dict), part_(part), reversed_(reversed) {}
  bool Next(Value* value) override {
    const auto entries = dict_.entries();
    if (next_ >= entries.size()) return false;
    const Dict::Entry& entry = entries[reversed_ ? entries.size() - 1 - next_ : next_];
    ++next_;
    *value = part_ == DictView::Part::kKeys     ? entry.key
             : part_ == DictView::Part::kValues ? entry.value
                                                : MakePair(arena_, entry.key, entry.value);
    return true;
  }

 private:
  Arena& arena_;
  const Dict& dict_;
  DictView::Part part_;
  bool reversed_;
  std::size_t next_ = 0;
};

class WrappedIterator final : public Generator {
 public:
  WrappedIterator(Source source, std::string_view type_name)
      : Generator(type_name), source_(source) {}
  bool Next(Value* value) override { return source_.Next(value); }

 private:
  Source source_;
};

Iterator* Find(Renderer& renderer, const Value& value, bool reversed) {
  Arena& arena = renderer.arena();
  switch (value.kind()) {
    case Kind::kUndefined:
      return arena.New<ItemsIterator>(std::span<const Value>(), false);
    case Kind::kString:
      return arena.New<TextIterator>(value.AsString(), reversed);
    case Kind::kList:
    case Kind::kTuple:
      return arena.New<ItemsIterator>(value.AsItems(), reversed);
    case Kind::kDict:
      return arena.New<DictIterator>(arena, value.AsDict(), DictView::Part::kKeys, reversed);
    case Kind::kObject:
      return reversed ? value.AsObject().IterateReversed(renderer)
                      : value.AsObject().Iterate(renderer);
    default:
      return nullptr;
  }
}

}  // namespace

Iterator* FindIterator(Renderer& renderer, const Value& value) {
  return Find(renderer, value, false);
}

Iterator* FindReversed(Renderer& renderer, const Value& value) {
  return Find(renderer, value, true);
}

Iterator& IteratorOver(Renderer& renderer, const Value& value) {
  Iterator* iterator = FindIterator(renderer, value);
  if (iterator == nullptr) {
    Raise(FailureKind::kType, "'{}' object is not iterable", TypeName(value));
  }
  return *iterator;
}

Source SourceOver(Renderer& renderer, const Value& value) {
  return Source(renderer.arena(), IteratorOver(renderer, value));
}

std::span<const Value> ItemsOf(Renderer& renderer, const Value& iterable) {
  if (iterable.IsSequence()) return iterable.AsItems();
  Iterator& iterator = IteratorOver(renderer, iterable);
  ListBuilder items(renderer.arena());
  for (Value value; iterator.Next(&value);) items.Append(value);
  return items.Finish();
}

Range::Range(std::int64_t start, std::int64_t stop, std::int64_t step)
    : start_(start), stop_(stop), step_(step) {
  if (step == 0) Raise(FailureKind::kValue, "range() arg 3 must not be zero");
  // Unsigned, as the distance of two 64-bit integers may not fit a signed one.
  const bool upward = step > 0;
  if (upward ? start >= stop : start <= stop) return;
  const std::uint64_t distance =
      upward ? static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start)
             : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(stop);
  const std::uint64_t stride =
      upward ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  const std::uint64_t count = (distance - 1) / stride + 1;
  if (count > kMaxRangeItems) {
    Raise(FailureKind::kValue,
          "Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kMaxRangeItems);
  }
  count_ = static_cast<std::size_t>(count);
}

Iterator* Range::Iterate(Renderer& renderer) {
  return renderer.arena().New<RangeIterator>(start_, step_, count_);
}

Iterator* Range::IterateReversed(Renderer& renderer) {
  if (count_ == 0) return Iterate(renderer);
  const std::int64_t last = start_ + static_cast<std::int64_t>(count_ - 1) * step_;
  // A range of one item may have a step that has no negative.
  return renderer.arena().New<RangeIterator>(last, count_ == 1 ? 1 : -step_, count_);
}

Value Range::Item(Renderer&, const Value& index) {
  if (!index.IsIntegral()) return {};
  std::int64_t at = index.AsInt();
  if (at < 0) at += static_cast<std::int64_t>(count_);
  if (at < 0 || at >= static_cast<std::int64_t>(count_)) return {};
  return Value::Int(start_ + at * step_);
}

bool Range::Equals(Arena&, const Object& other, int /*depth*/) const {
  const auto* range = dynamic_cast<const Range*>(&other);
  if (range == nullptr || range->count_ != count_) return false;
  return count_ == 0 || (range->start_ == start_ && (count_ == 1 || range->step_ == step_));
}

void Range::Print(TextBuilder& out, int) const {
  if (step_ == 1) return out.Append(fmt::format("range({}, {})", start_, stop_));
  out.Append(fmt::format("range({}, {}, {})", start_, stop_, step_));
}

std::string_view DictView::TypeName() const {
  return part_ == Part::kKeys ? "dict_keys" : part_ == Part::kValues ? "dict_values" : "dict_items";
}

Iterator* DictView::Iterate(Renderer& renderer) {
  return renderer.arena().New<DictIterator>(renderer.arena(), dict_, part_, false);
}

Iterator* DictView::IterateReversed(Renderer& renderer) {
  return renderer.arena().New<DictIterator>(renderer.arena(), dict_, part_, true);
}

void DictView::Print(TextBuilder& out, int depth) const {
  out.Append(TypeName());
  out.Append("([");
  bool first = true;
  for (const auto& [key, value] : dict_.entries()) {
    if (!first) out.Append(", ");
    first = false;
    if (part_ == Part::kItems) out.Append('(');
    if (part_ != Part::kValues) PrintRepr(key, out, depth + 1);
    if (part_ == Part::kItems) out.Append(", ");
    if (part_ != Part::kKeys) PrintRepr(value, out, depth + 1);
    if (part_ == Part::kItems) out.Append(')');
  }
  out.Append("])");
}

Value MakePair(Arena& arena, const Value& first, const Value& second) {
  Value* place = arena.AllocateArray<Value>(2);
  std::uninitialized_copy_n(&first, 1, place);
  std::uninitialized_copy_n(&second, 1, place + 1);
  return Value::Tuple({place, 2});
}

Value MakeIterator(Arena& arena, Iterator& iterator, std::string_view type_name) {
  return Value::Of(arena.New<WrappedIterator>(Source(arena, iterator), type_name));
}

}  // namespace switchyard::model::jinja
