// Filters that pick from, convert or regroup the items of an iterable. Those that are generators in
// jinja2 are lazy here too, as a template can tell: they are always true, run once and have no
// length.
#include <algorithm>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/filters.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/lookup.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"

namespace switchyard::model::jinja {
namespace {

Value First(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("first", arguments);
  Value value;
  if (IteratorOver(renderer, input).Next(&value)) return value;
  return renderer.Undefined("No first item, sequence was empty.");
}

Value Last(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("last", arguments);
  Iterator* reversed = FindReversed(renderer, input);
  if (reversed == nullptr) {
    Raise(FailureKind::kType, "'{}' object is not reversible", TypeName(input));
  }
  Value value;
  if (reversed->Next(&value)) return value;
  return renderer.Undefined("No last item, sequence was empty.");
}

Value ToList(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("list", arguments);
  return Value::List(ItemsOf(renderer, input));
}

Value Reverse(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("reverse", arguments);
  Iterator* reversed = FindReversed(renderer, input);
  if (reversed != nullptr && !input.Is(Kind::kString)) {
    return MakeIterator(renderer.arena(), *reversed, "reversed");
  }
  if (reversed != nullptr) {
    TextBuilder out(renderer.arena());
    for (Value unit; reversed->Next(&unit);) out.Append(unit.AsString());
    return Value::String(out.Finish());
  }
  ListBuilder items(renderer.arena());
  for (const Value& item : ItemsOf(renderer, input)) items.Append(item);
  std::reverse(items.items().begin(), items.items().end());
  return Value::List(items.Finish());
}

class ItemPairs final : public Generator {
 public:
  explicit ItemPairs(Iterator* pairs) : pairs_(pairs) {}
  bool Next(Value* value) override { return pairs_ != nullptr && pairs_->Next(value); }

 private:
  Iterator* pairs_;
};

Value Items(Renderer& renderer, const Value& input, const Arguments& arguments) {
  ExpectNoArguments("items", arguments);
  Arena& arena = renderer.arena();
  if (input.Is(Kind::kUndefined)) return Value::Of(arena.New<ItemPairs>(nullptr));
  if (!input.Is(Kind::kDict)) {
    Raise(FailureKind::kType, "Can only get item pairs from a mapping.");
  }
  auto* view = arena.New<DictView>(input.AsDict(), DictView::Part::kItems);
  return Value::Of(arena.New<ItemPairs>(view->Iterate(renderer)));
}

// map: an attribute of each item, or a filter applied to it.
class Mapped final : public Generator {
 public:
  Mapped(Renderer& renderer, Source items, const AttributePath& path)
      : renderer_(renderer), items_(items), path_(&path) {}
  Mapped(Renderer& renderer, Source items, std::string_view filter, const Arguments& arguments)
      : renderer_(renderer), items_(items), filter_(filter), arguments_(arguments) {}
  bool Next(Value* value) override {
    Value item;
    if (!items_.Next(&item)) return false;
    renderer_.arena().Spend(1);
    *value = path_ != nullptr ? path_->Get(item) : renderer_.CallFilter(filter_, item, arguments_);
    return true;
  }

 private:
  Renderer& renderer_;
  Source items_;
  const AttributePath* path_ = nullptr;
  std::string_view filter_;
  Arguments arguments_;
};

class Nothing final : public Generator {
 public:
  bool Next(Value*) override { return false; }
};

Value Map(Renderer& renderer, const Value& input, const Arguments& arguments) {
  Arena& arena = renderer.arena();
  if (!IsTrue(input)) return Value::Of(arena.New<Nothing>());
  if (arguments.positional.empty()) {
    if (arguments.named.empty()) {
      Raise(FailureKind::kRuntime, "map requires a filter argument");
    }
    const auto [attribute, otherwise] = Bind("map", arguments, {"attribute", "default"});
    if (attribute.Is(Kind::kMissing)) {
      Raise(FailureKind::kRuntime, "map requires a filter argument");
    }
    const auto* path = arena.New<AttributePath>(renderer, attribute, otherwise);
    return Value::Of(arena.New<Mapped>(renderer, SourceOver(renderer, input), *path));
  }
  const Arguments rest = {arguments.positional.subspan(1), arguments.named};
  return Value::Of(arena.New<Mapped>(renderer, SourceOver(renderer, input),
                                     ToString(arguments.positional[0], "map's filter"), rest));
}

// select, reject and their attr forms.
class Selected final : public Generator {
 public:
  Selected(Renderer& renderer, Source items, const AttributePath& path, bool keeps,
           const Arguments& test)
      : renderer_(renderer), items_(items), path_(path), keeps_(keeps), test_(test) {}
  bool Next(Value* value) override {
    while (items_.Next(value)) {
      renderer_.arena().Spend(1);
      if (Holds(path_.Get(*value)) == keeps_) return true;
    }
    return false;
  }

 private:
  bool Holds(const Value& value) {
    if (test_.positional.empty()) return jinja::IsTrue(value);
    const Arguments rest = {test_.positional.subspan(1), test_.named};
    return renderer_.CallTest(ToString(test_.positional[0], "the test's name"), value, rest);
  }

  Renderer& renderer_;
  Source items_;
  const AttributePath& path_;
  bool keeps_;
  Arguments test_;
};

template <bool kKeeps, bool kByAttribute>
Value Select(Renderer& renderer, const Value& input, const Arguments& arguments) {
  Arena& arena = renderer.arena();
  if (!IsTrue(input)) return Value::Of(arena.New<Nothing>());
  Value attribute;
  Arguments test = arguments;
  if (kByAttribute) {
    if (arguments.positional.empty()) {
      Raise(FailureKind::kRuntime, "Missing parameter for attribute name");
    }
    attribute = arguments.positional[0];
    test.positional = arguments.positional.subspan(1);
  }
  const auto* path = arena.New<AttributePath>(renderer, attribute);
  return Value::Of(arena.New<Selected>(renderer, SourceOver(renderer, input), *path, kKeeps, test));
}

class Batches final : public Generator {
 public:
  Batches(Arena& arena, Source items, std::int64_t size, const Value& fill)
      : arena_(arena), items_(items), size_(size), fill_(fill) {}
  bool Next(Value* value) override {
    ListBuilder batch(arena_);
    if (!held_.Is(Kind::kMissing)) batch.Append(held_);
    held_ = Value();
    for (Value item; items_.Next(&item);) {
      if (static_cast<std::int64_t>(batch.size()) == size_) {
        held_ = item;
        *value = Value::List(batch.Finish());
        return true;
      }
      batch.Append(item);
    }
    if (batch.size() == 0) return false;
    while (IsGiven(fill_) && static_cast<std::int64_t>(batch.size()) < size_) batch.Append(fill_);
    *value = Value::List(batch.Finish());
    return true;
  }

 private:
  Arena& arena_;
  Source items_;
  std::int64_t size_;
  Value fill_;
  Value held_;  // the first item of the next batch
};

Value Batch(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [size, fill] = Bind("batch", arguments, {"linecount", "fill_with"}, 1);
  return Value::Of(renderer.arena().New<Batches>(renderer.arena(), SourceOver(renderer, input),
                                                 ToInt(size, "batch's linecount"), fill));
}

Value SliceInto(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [count_value, fill] = Bind("slice", arguments, {"slices", "fill_with"}, 1);
  const std::int64_t count = ToInt(count_value, "slice's number of slices");
  if (count == 0) Raise(FailureKind::kValue, "integer division or modulo by zero");
  const auto items = ItemsOf(renderer, input);
  ListBuilder slices(renderer.arena());
  const auto total = static_cast<std::int64_t>(items.size());
  std::size_t start = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool has_extra = i < total % count;
    const auto length = static_cast<std::size_t>(total / count + (has_extra ? 1 : 0));
    ListBuilder slice(renderer.arena());
    for (const Value& item : items.subspan(start, length)) slice.Append(item);
    if (IsGiven(fill) && !has_extra) slice.Append(fill);
    slices.Append(Value::List(slice.Finish()));
    start += length;
  }
  const Value all = Value::List(slices.Finish());
  return MakeIterator(renderer.arena(), *FindIterator(renderer, all), "generator");
}

Value Sum(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [attribute, start] = Bind("sum", arguments, {"attribute", "start"});
  const AttributePath path(renderer, attribute);
  Value total = start.Is(Kind::kMissing) ? Value::Int(0) : start;
  if (total.Is(Kind::kString)) {
    Raise(FailureKind::kType, "sum() can't sum strings [use ''.join(seq) instead]");
  }
  Iterator& items = IteratorOver(renderer, input);
  for (Value item; items.Next(&item);) {
    renderer.arena().Spend(1);
    total = Compute(renderer, ArithmeticOp::kAdd, total, path.Get(item));
  }
  return total;
}

constexpr FilterEntry kSequenceFilters[] = {
    {"batch", Batch},
    {"first", First},
    {"items", Items},
    {"last", Last},
    {"list", ToList},
    {"map", Map},
    {"reject", Select<false, false>},
    {"rejectattr", Select<false, true>},
    {"reverse", Reverse},
    {"select", Select<true, false>},
    {"selectattr", Select<true, true>},
    {"slice", SliceInto},
    {"sum", Sum},
};

}  // namespace

std::span<const FilterEntry> SequenceFilters() { return kSequenceFilters; }

}  // namespace switchyard::model::jinja
