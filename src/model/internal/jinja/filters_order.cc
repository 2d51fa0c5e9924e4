// Filters that compare the items of an iterable with one another.
#include <algorithm>
#include <vector>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/filters.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/lookup.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/jinja/stable_sort.h"
#include "model/internal/jinja/text.h"

namespace switchyard::model::jinja {
namespace {

struct Keyed {
  Value key;
  Value item;
};

// Sorts stably; reversing keeps equal items in their order, as Python does.
void SortByKey(Arena& arena, std::vector<Keyed>* items, bool reverse) {
  arena.Charge(items->size() * sizeof(Keyed));
  StableSort(items, [&](const Keyed& a, const Keyed& b) {
    arena.Spend(1);
    return reverse ? IsLess(arena, b.key, a.key) : IsLess(arena, a.key, b.key);
  });
  arena.Refund(items->size() * sizeof(Keyed));
}

template <typename KeyOf>
std::vector<Keyed> WithKeys(Renderer& renderer, const Value& input, KeyOf key_of) {
  const auto items = ItemsOf(renderer, input);
  renderer.arena().Charge(items.size() * sizeof(Keyed));
  std::vector<Keyed> keyed;
  keyed.reserve(items.size());
  for (const Value& item : items) {
    renderer.arena().Spend(1);
    keyed.push_back({key_of(item), item});
  }
  return keyed;
}

Value ItemsAsList(Arena& arena, const std::vector<Keyed>& keyed) {
  ListBuilder items(arena);
  for (const Keyed& entry : keyed) items.Append(entry.item);
  return Value::List(items.Finish());
}

Value Sort(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [reverse, case_sensitive, attribute] =
      Bind("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  Arena& arena = renderer.arena();
  const bool exact = IsTrue(case_sensitive);
  std::vector<AttributePath> paths;  // "a,b" sorts by a, then by b
  if (attribute.Is(Kind::kString)) {
    arena.Charge(attribute.AsString().size() * sizeof(AttributePath));
    for (const std::string_view part : SplitAt(attribute.AsString(), ",", kUnlimited)) {
      paths.emplace_back(renderer, Value::String(part));
    }
  } else {
    paths.emplace_back(renderer, attribute);
  }
  auto keyed = WithKeys(renderer, input, [&](const Value& item) {
    ListBuilder keys(arena);
    for (const AttributePath& path : paths) {
      const Value key = path.Get(item);
      keys.Append(exact ? key : IgnoreCase(arena, key));
    }
    return Value::List(keys.Finish());
  });
  SortByKey(arena, &keyed, IsTrue(reverse));
  return ItemsAsList(arena, keyed);
}

Value DictSort(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [case_sensitive, by, reverse] =
      Bind("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (input.Is(Kind::kUndefined)) input.FailUndefined();
  if (!input.Is(Kind::kDict)) {
    Raise(FailureKind::kType, "dictsort wants a dict, not '{}'", TypeName(input));
  }
  const std::string_view part =
      by.Is(Kind::kMissing) ? std::string_view("key") : ToString(by, "dictsort's by");
  if (part != "key" && part != "value") {
    Raise(FailureKind::kRuntime, "You can only sort by either \"key\" or \"value\"");
  }
  Arena& arena = renderer.arena();
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : input.AsDict().entries()) {
    const Value& sorted_by = part == "key" ? key : value;
    keyed.push_back({IsTrue(case_sensitive) ? sorted_by : IgnoreCase(arena, sorted_by),
                     MakePair(arena, key, value)});
  }
  SortByKey(arena, &keyed, IsTrue(reverse));
  return ItemsAsList(arena, keyed);
}

class UniqueItems final : public Generator {
 public:
  UniqueItems(Renderer& renderer, Source items, const AttributePath& path, bool exact)
      : renderer_(renderer),
        items_(items),
        path_(path),
        exact_(exact),
        seen_(*renderer.arena().New<Dict>(renderer.arena())) {}
  bool Next(Value* value) override {
    while (items_.Next(value)) {
      renderer_.arena().Spend(1);
      const Value found = path_.Get(*value);
      const Value key = exact_ ? found : IgnoreCase(renderer_.arena(), found);
      if (seen_.Find(key) != nullptr) continue;
      seen_.Set(key, Value::None());
      return true;
    }
    return false;
  }

 private:
  Renderer& renderer_;
  Source items_;
  const AttributePath& path_;
  bool exact_;
  Dict& seen_;
};

Value Unique(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [case_sensitive, attribute] =
      Bind("unique", arguments, {"case_sensitive", "attribute"});
  const auto* path = renderer.arena().New<AttributePath>(renderer, attribute);
  return Value::Of(renderer.arena().New<UniqueItems>(renderer, SourceOver(renderer, input), *path,
                                                     IsTrue(case_sensitive)));
}

template <bool kMax>
Value Extreme(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [case_sensitive, attribute] =
      Bind(kMax ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(renderer, attribute);
  Arena& arena = renderer.arena();
  Iterator& items = IteratorOver(renderer, input);
  Value best;
  Value best_key;
  for (Value item; items.Next(&item);) {
    arena.Spend(1);
    const Value found = path.Get(item);
    const Value key = IsTrue(case_sensitive) ? found : IgnoreCase(arena, found);
    const bool is_better = best.Is(Kind::kMissing) ||
                           (kMax ? IsLess(arena, best_key, key) : IsLess(arena, key, best_key));
    if (!is_better) continue;
    best = item;
    best_key = key;
  }
  if (!best.Is(Kind::kMissing)) return best;
  return renderer.Undefined("No aggregated item, sequence was empty.");
}

// A group: prints as a tuple, and is also read as .grouper and .list.
class Group final : public Object {
 public:
  Group(const Value& grouper, const Value& list, const Value& pair)
      : grouper_(grouper), list_(list), pair_(pair) {}
  std::string_view TypeName() const override { return "_GroupTuple"; }
  std::optional<std::size_t> Length() const override { return 2; }
  bool IsIndexable() const override { return true; }
  Iterator* Iterate(Renderer& renderer) override { return FindIterator(renderer, pair_); }
  Value Item(Renderer& renderer, const Value& index) override {
    return ItemOf(renderer, pair_, index);
  }
  Value Attribute(Renderer&, std::string_view name) override {
    return name == "grouper" ? grouper_ : name == "list" ? list_ : Value();
  }
  void Print(TextBuilder& out, int depth) const override { PrintRepr(pair_, out, depth); }

 private:
  Value grouper_;
  Value list_;
  Value pair_;
};

Value GroupBy(Renderer& renderer, const Value& input, const Arguments& arguments) {
  const auto [attribute, otherwise, case_sensitive] =
      Bind("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  Arena& arena = renderer.arena();
  const AttributePath path(renderer, attribute, otherwise);
  const bool exact = IsTrue(case_sensitive);
  auto keyed = WithKeys(renderer, input, [&](const Value& item) {
    const Value key = path.Get(item);
    return exact ? key : IgnoreCase(arena, key);
  });
  SortByKey(arena, &keyed, false);
  ListBuilder groups(arena);
  for (std::size_t start = 0; start < keyed.size();) {
    ListBuilder members(arena);
    std::size_t end = start;
    while (end < keyed.size() && Equals(arena, keyed[end].key, keyed[start].key)) {
      members.Append(keyed[end++].item);
    }
    end = std::max(end, start + 1);  // a NaN equals nothing
    if (members.size() == 0) members.Append(keyed[start].item);
    const Value list = Value::List(members.Finish());
    const Value grouper = path.Get(keyed[start].item);
    groups.Append(Value::Of(arena.New<Group>(grouper, list, MakePair(arena, grouper, list))));
    start = end;
  }
  return Value::List(groups.Finish());
}

constexpr FilterEntry kOrderFilters[] = {
    {"dictsort", DictSort},  {"groupby", GroupBy}, {"max", Extreme<true>},
    {"min", Extreme<false>}, {"sort", Sort},       {"unique", Unique},
};

}  // namespace

std::span<const FilterEntry> OrderFilters() { return kOrderFilters; }

}  // namespace switchyard::model::jinja
