#include "model/internal/jinja/methods.h"

#include <algorithm>
#include <cmath>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/renderer.h"

namespace switchyard::model::jinja {
namespace {

// What jinja2's ImmutableSandboxedEnvironment hides.
constexpr std::string_view kDictChanges[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kListChanges[] = {"append", "clear",  "extend",  "insert",
                                             "pop",    "remove", "reverse", "sort"};

const MethodEntry* FindEntry(std::span<const MethodEntry> entries, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [name](const MethodEntry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

Value DictGet(Renderer&, const Value& self, const Arguments& arguments) {
  if (!arguments.named.empty()) Raise(FailureKind::kType, "get() takes no keyword arguments");
  const auto [key, otherwise] = Bind("get", arguments, {"key", "default"}, 1);
  const Value* value = self.AsDict().Find(key);
  if (value != nullptr) return *value;
  return otherwise.Is(Kind::kMissing) ? Value::None() : otherwise;
}

template <DictView::Part kPart>
Value DictViewOf(Renderer& renderer, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("the dict's view", arguments);
  return Value::Of(renderer.arena().New<DictView>(self.AsDict(), kPart));
}

Value SelfOf(Renderer&, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("copy", arguments);
  return self;
}

Value CountItems(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [item] = Bind("count", arguments, {"value"}, 1);
  std::int64_t count = 0;
  for (const Value& candidate : self.AsItems()) {
    renderer.arena().Spend(1);
    if (Equals(renderer.arena(), candidate, item)) ++count;
  }
  return Value::Int(count);
}

Value IndexOf(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [item, start, stop] = Bind("index", arguments, {"value", "start", "stop"}, 1);
  const auto items = self.AsItems();
  const auto bound = [&](const Value& value, std::size_t otherwise) {
    if (value.Is(Kind::kMissing)) return otherwise;
    const auto length = static_cast<std::int64_t>(items.size());
    std::int64_t index = ToInt(value, "index()'s bound");
    if (index < 0) index = std::max<std::int64_t>(index < -length ? 0 : index + length, 0);
    return static_cast<std::size_t>(std::min(index, length));
  };
  const std::size_t end = bound(stop, items.size());
  for (std::size_t i = bound(start, 0); i < end; ++i) {
    renderer.arena().Spend(1);
    if (Equals(renderer.arena(), items[i], item)) return Value::Int(static_cast<std::int64_t>(i));
  }
  Raise(FailureKind::kValue, "the value is not in the {}", TypeName(self));
}

Value BitLength(Renderer&, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("bit_length", arguments);
  const std::int64_t value = self.AsInt();
  auto magnitude =
      value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::int64_t bits = 0;
  for (; magnitude != 0; magnitude >>= 1) ++bits;
  return Value::Int(bits);
}

Value IsWhole(Renderer&, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("is_integer", arguments);
  return Value::Bool(std::isfinite(self.AsFloat()) && std::floor(self.AsFloat()) == self.AsFloat());
}

constexpr MethodEntry kDictMethods[] = {
    {"get", DictGet},
    {"items", DictViewOf<DictView::Part::kItems>},
    {"keys", DictViewOf<DictView::Part::kKeys>},
    {"values", DictViewOf<DictView::Part::kValues>},
    {"copy", SelfOf},
};

constexpr MethodEntry kSequenceMethods[] = {
    {"count", CountItems},
    {"index", IndexOf},
};

constexpr MethodEntry kListOnlyMethods[] = {{"copy", SelfOf}};
constexpr MethodEntry kIntMethods[] = {{"bit_length", BitLength}};
constexpr MethodEntry kFloatMethods[] = {{"is_integer", IsWhole}};

bool IsIn(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Value FindMethod(Arena& arena, const Value& object, std::string_view name) {
  const MethodEntry* entry = nullptr;
  switch (object.kind()) {
    case Kind::kString:
      entry = FindEntry(TextMethods(), name);
      if (entry == nullptr) entry = FindEntry(TextSearchMethods(), name);
      break;
    case Kind::kDict:
      if (IsIn(kDictChanges, name)) {
        return Value::Undefined(UndefinedReason::kUnsafe, name, Kind::kDict);
      }
      entry = FindEntry(kDictMethods, name);
      break;
    case Kind::kList:
      if (IsIn(kListChanges, name)) {
        return Value::Undefined(UndefinedReason::kUnsafe, name, Kind::kList);
      }
      entry = FindEntry(kSequenceMethods, name);
      if (entry == nullptr) entry = FindEntry(kListOnlyMethods, name);
      break;
    case Kind::kTuple:
      entry = FindEntry(kSequenceMethods, name);
      break;
    case Kind::kBool:
    case Kind::kInt:
      if (name == "real" || name == "numerator") return Value::Int(object.AsInt());
      if (name == "imag") return Value::Int(0);
      if (name == "denominator") return Value::Int(1);
      entry = FindEntry(kIntMethods, name);
      break;
    case Kind::kFloat:
      if (name == "real") return object;
      if (name == "imag") return Value::Float(0);
      entry = FindEntry(kFloatMethods, name);
      break;
    default:
      break;
  }
  if (entry == nullptr) return {};
  return MakeMethod(arena, entry->name, object, entry->call);
}

}  // namespace switchyard::model::jinja
