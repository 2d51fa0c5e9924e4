#include "model/internal/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/printing.h"

namespace switchyard::model::jinja {
namespace {

constexpr std::size_t kLinearSearchEntries = 8;

// The number's place on Python's single number line: 1 == 1.0 == True.
bool NumbersEqual(const Value& left, const Value& right) {
  if (left.IsIntegral() && right.IsIntegral()) return left.AsInt() == right.AsInt();
  // 64-bit mantissas, so that large integers don't round into equality.
  const auto wide = [](const Value& v) {
    return v.IsIntegral() ? static_cast<long double>(v.AsInt())
                          : static_cast<long double>(v.AsFloat());
  };
  return wide(left) == wide(right);
}

std::size_t Mix(std::size_t seed, std::size_t value) {
  return seed ^ (value + 0x9E3779B97F4A7C15U + (seed << 6) + (seed >> 2));
}

// Different for different integers, and spread over the low bits that tables look at.
std::size_t HashInteger(std::int64_t value) {
  const std::uint64_t spread = static_cast<std::uint64_t>(value) * 0x9E3779B97F4A7C15U;
  return spread ^ (spread >> 32);
}

// That of the equal integer, if there is one.
std::size_t HashFloat(double value) {
  constexpr double kBeyondIntegers = 0x1p63;
  const bool is_integer =
      value >= -kBeyondIntegers && value < kBeyondIntegers && value == std::floor(value);
  return is_integer ? HashInteger(static_cast<std::int64_t>(value)) : std::hash<double>()(value);
}

std::string_view OwnerName(Kind kind) {
  switch (kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return "bool object";
    case Kind::kInt:
      return "int object";
    case Kind::kFloat:
      return "float object";
    case Kind::kString:
      return "str object";
    case Kind::kList:
      return "list object";
    case Kind::kTuple:
      return "tuple object";
    case Kind::kDict:
      return "dict object";
    default:
      return "object";
  }
}

}  // namespace

Value Value::Bool(bool value) {
  Value result(Kind::kBool);
  result.boolean_ = value;
  return result;
}

Value Value::Int(std::int64_t value) {
  Value result(Kind::kInt);
  result.integer_ = value;
  return result;
}

Value Value::Float(double value) {
  Value result(Kind::kFloat);
  result.real_ = value;
  return result;
}

Value Value::String(std::string_view text) {
  Value result(Kind::kString);
  result.chars_ = text.data();
  result.size_ = text.size();
  return result;
}

Value Value::Markup(std::string_view text) {
  Value result = String(text);
  result.is_markup_ = true;
  return result;
}

Value Value::List(std::span<const Value> items) {
  Value result(Kind::kList);
  result.items_ = items.data();
  result.size_ = items.size();
  return result;
}

Value Value::Tuple(std::span<const Value> items) {
  Value result = List(items);
  result.kind_ = Kind::kTuple;
  return result;
}

Value Value::Of(const Dict* dict) {
  Value result(Kind::kDict);
  result.dict_ = dict;
  return result;
}

Value Value::Of(Object* object) {
  Value result(Kind::kObject);
  result.object_ = object;
  return result;
}

Value Value::Undefined(UndefinedReason reason, std::string_view text, Kind owner) {
  Value result(Kind::kUndefined);
  result.reason_ = reason;
  result.owner_ = owner;
  result.chars_ = text.data();
  result.size_ = text.size();
  return result;
}

double Value::AsNumber() const {
  return kind_ == Kind::kFloat ? real_ : static_cast<double>(AsInt());
}

void Value::FailUndefined() const {
  switch (reason_) {
    case UndefinedReason::kVariable:
      Raise(FailureKind::kUndefined, "'{}' is undefined", AsString());
    case UndefinedReason::kAttribute:
      Raise(FailureKind::kUndefined, "'{}' has no attribute '{}'", OwnerName(owner_), AsString());
    case UndefinedReason::kElement:
      Raise(FailureKind::kUndefined, "{} has no element {}", OwnerName(owner_), AsString());
    case UndefinedReason::kUnsafe: {
      std::string_view owner = OwnerName(owner_);
      owner = owner.substr(0, owner.find(' '));
      Raise(FailureKind::kSecurity, "access to attribute '{}' of '{}' object is unsafe.",
            AsString(), owner);
    }
    case UndefinedReason::kHint:
      break;
  }
  Raise(FailureKind::kUndefined, "{}", AsString());
}

std::size_t Dict::Slot(const Value& key, std::size_t hash, int depth) const {
  const std::size_t mask = table_.size() - 1;
  std::size_t slot = hash & mask;
  while (table_[slot] != 0) {
    const std::size_t entry = table_[slot] - 1;
    if (hashes_[entry] == hash && Equals(arena_, entries_[entry].key, key, depth)) break;
    arena_.Spend(1);
    slot = (slot + 1) & mask;
  }
  return slot;
}

std::size_t Dict::Position(const Value& key, std::size_t hash, int depth) const {
  if (!table_.empty()) {
    const std::uint32_t found = table_[Slot(key, hash, depth)];
    return found == 0 ? entries_.size() : found - 1;
  }
  std::size_t position = 0;
  while (position < entries_.size() &&
         !(hashes_[position] == hash && Equals(arena_, entries_[position].key, key, depth))) {
    ++position;
  }
  return position;
}

const Value* Dict::Find(const Value& key, int depth) const {
  const std::size_t position = Position(key, Hash(arena_, key, depth), depth);
  return position == entries_.size() ? nullptr : &entries_[position].value;
}

const Value* Dict::Find(std::string_view key) const { return Find(Value::String(key)); }

void Dict::Set(const Value& key, const Value& value) {
  arena_.Spend(1);
  const std::size_t hash = Hash(arena_, key);
  const std::size_t position = Position(key, hash, 0);
  if (position < entries_.size()) {
    entries_[position].value = value;
    return;
  }
  arena_.Charge(sizeof(Entry) + sizeof(std::size_t) + 2 * sizeof(std::uint32_t));
  entries_.push_back({key, value});
  hashes_.push_back(hash);
  if (entries_.size() <= kLinearSearchEntries) return;
  if (table_.size() < 2 * entries_.size()) {
    table_.assign(std::max<std::size_t>(32, 2 * table_.size()), 0);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      table_[Slot(entries_[i].key, hashes_[i], 0)] = static_cast<std::uint32_t>(i + 1);
    }
  } else {
    table_[Slot(key, hash, 0)] = static_cast<std::uint32_t>(entries_.size());
  }
}

Value Object::Call(Renderer&, const Arguments&) {
  Raise(FailureKind::kType, "'{}' object is not callable", TypeName());
}

void Object::Print(TextBuilder& out, int /*depth*/) const {
  out.Append('<');
  out.Append(TypeName());
  out.Append(" object>");
}

Value Namespace::Attribute(Renderer&, std::string_view name) {
  const Value* value = attributes_.Find(name);
  return value == nullptr ? Value() : *value;
}

void Namespace::Print(TextBuilder& out, int depth) const {
  out.Append("<Namespace ");
  PrintRepr(Value::Of(&attributes_), out, depth + 1);
  out.Append('>');
}

void Namespace::Set(std::string_view name, const Value& value) {
  // As transformers has it, so that no template can rely on Python's own attributes.
  if (name.starts_with('_')) {
    Raise(
        FailureKind::kSecurity,
        "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '{}'. "
        "Please rename the attribute.",
        name);
  }
  attributes_.Set(Value::String(name), value);
}

std::span<const Value> ListBuilder::Finish() const { return CopyItems(arena_, items_); }

std::string_view TypeName(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
      return "missing";
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return value.IsMarkup() ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kObject:
      return value.AsObject().TypeName();
  }
  return "object";
}

bool IsTrue(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.AsBool();
    case Kind::kInt:
      return value.AsInt() != 0;
    case Kind::kFloat:
      return value.AsFloat() != 0;
    case Kind::kString:
      return !value.AsString().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.AsItems().empty();
    case Kind::kDict:
      return !value.AsDict().entries().empty();
    case Kind::kObject:
      return value.AsObject().IsTrue();
  }
  return false;
}

bool Equals(Arena& arena, const Value& left, const Value& right, int depth) {
  if (depth > kMaxValueDepth) {
    Raise(FailureKind::kLimit, "values nested deeper than {} levels are compared", kMaxValueDepth);
  }
  if (left.IsNumber() && right.IsNumber()) return NumbersEqual(left, right);
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::kString:
      arena.Spend(left.AsString().size() / 64);
      return left.AsString() == right.AsString();
    case Kind::kList:
    case Kind::kTuple: {
      const auto a = left.AsItems();
      const auto b = right.AsItems();
      if (a.data() == b.data() && a.size() == b.size()) return true;
      return a.size() == b.size() &&
             std::equal(a.begin(), a.end(), b.begin(), [&](const Value& x, const Value& y) {
               arena.Spend(1);
               return Equals(arena, x, y, depth + 1);
             });
    }
    case Kind::kDict: {
      const Dict& a = left.AsDict();
      const Dict& b = right.AsDict();
      if (&a == &b) return true;
      if (a.entries().size() != b.entries().size()) return false;
      return std::all_of(a.entries().begin(), a.entries().end(), [&](const Dict::Entry& entry) {
        arena.Spend(1);
        const Value* other = b.Find(entry.key, depth + 1);
        return other != nullptr && Equals(arena, entry.value, *other, depth + 1);
      });
    }
    case Kind::kObject:
      return left.AsObject().Equals(arena, right.AsObject(), depth);
    default:
      return true;  // none, undefined
  }
}

std::size_t Hash(Arena& arena, const Value& value, int depth) {
  if (depth > kMaxValueDepth) {
    Raise(FailureKind::kLimit, "a key is nested deeper than {} levels", kMaxValueDepth);
  }
  switch (value.kind()) {
    case Kind::kBool:
    case Kind::kInt:
      return HashInteger(value.AsInt());
    case Kind::kFloat:
      return HashFloat(value.AsFloat());
    case Kind::kString:
      arena.Spend(value.AsString().size() / 64);
      return std::hash<std::string_view>()(value.AsString());
    case Kind::kTuple: {
      std::size_t seed = value.AsItems().size();
      for (const Value& item : value.AsItems()) {
        arena.Spend(1);
        seed = Mix(seed, Hash(arena, item, depth + 1));
      }
      return seed;
    }
    case Kind::kList:
    case Kind::kDict:
      Raise(FailureKind::kType, "unhashable type: '{}'", TypeName(value));
    case Kind::kObject:
      return std::hash<const void*>()(&value.AsObject());
    default:
      return static_cast<std::size_t>(value.kind());
  }
}

std::span<const Value> CopyItems(Arena& arena, std::span<const Value> items) {
  if (items.empty()) return {};
  Value* place = arena.AllocateArray<Value>(items.size());
  std::uninitialized_copy(items.begin(), items.end(), place);
  return {place, items.size()};
}

}  // namespace switchyard::model::jinja
