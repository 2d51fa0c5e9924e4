// The values that a template computes with: Python's, as far as templates see them. A Value is a
// small copyable handle; texts, lists and dicts are immutable and live in the rendering's arena, in
// the template or in the caller's JSON, all of which outlive it. Only namespaces and iterators
// change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/internal/jinja/arena.h"

namespace switchyard::model::jinja {

class Dict;
class Iterator;
class Object;
class Renderer;
class Value;

enum class Kind : std::uint8_t {
  kMissing,  // no value at all; never seen by a template
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kObject,
};

// Why a value is undefined, which its error message tells.
enum class UndefinedReason : std::uint8_t { kVariable, kAttribute, kElement, kHint, kUnsafe };

class Value {
 public:
  Value() : integer_(0) {}

  static Value None() { return Value(Kind::kNone); }
  static Value Bool(bool value);
  static Value Int(std::int64_t value);
  static Value Float(double value);
  static Value String(std::string_view text);
  static Value Markup(std::string_view text);  // markupsafe's str: joining escapes the other side
  static Value List(std::span<const Value> items);
  static Value Tuple(std::span<const Value> items);
  static Value Of(const Dict* dict);
  static Value Of(Object* object);

  // `text` is the variable's name, the attribute's name, the element's repr or the whole message.
  static Value Undefined(UndefinedReason reason, std::string_view text,
                         Kind owner = Kind::kMissing);

  Kind kind() const { return kind_; }
  bool Is(Kind kind) const { return kind_ == kind; }
  bool IsSequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }
  bool IsNumber() const {
    return kind_ == Kind::kBool || kind_ == Kind::kInt || kind_ == Kind::kFloat;
  }
  bool IsIntegral() const { return kind_ == Kind::kBool || kind_ == Kind::kInt; }

  // Each is valid for its own kind only.
  bool AsBool() const { return boolean_; }
  std::int64_t AsInt() const { return kind_ == Kind::kBool ? boolean_ : integer_; }  // also kBool
  double AsFloat() const { return real_; }
  std::string_view AsString() const { return {chars_, size_}; }
  std::span<const Value> AsItems() const { return {items_, size_}; }  // kList or kTuple
  const Dict& AsDict() const { return *dict_; }
  Object& AsObject() const { return *object_; }

  bool IsMarkup() const { return kind_ == Kind::kString && is_markup_; }
  double AsNumber() const;  // any number as a double

  // For kUndefined: the exception that using it raises.
  [[noreturn]] void FailUndefined() const;

 private:
  explicit Value(Kind kind) : kind_(kind), integer_(0) {}

  Kind kind_ = Kind::kMissing;
  bool is_markup_ = false;
  UndefinedReason reason_ = UndefinedReason::kVariable;
  Kind owner_ = Kind::kMissing;
  union {
    bool boolean_;
    std::int64_t integer_;
    double real_;
    const char* chars_;
    const Value* items_;
    const Dict* dict_;
    Object* object_;
  };
  std::size_t size_ = 0;
};

// A dict in insertion order.
class Dict {
 public:
  struct Entry {
    Value key;
    Value value;
  };

  explicit Dict(Arena& arena) : arena_(arena) {}

  std::span<const Entry> entries() const { return entries_; }
  // Null if absent; fails if unhashable. `depth` counts the containers around this one.
  const Value* Find(const Value& key, int depth = 0) const;
  const Value* Find(std::string_view key) const;
  void Set(const Value& key, const Value& value);

 private:
  std::size_t Slot(const Value& key, std::size_t hash, int depth) const;
  // The entry's position, entries_.size() if absent.
  std::size_t Position(const Value& key, std::size_t hash, int depth) const;

  Arena& arena_;
  std::vector<Entry> entries_;
  std::vector<std::size_t> hashes_;
  // Positions in entries_ plus one, 0 for empty: open addressing, used from 9 entries on.
  std::vector<std::uint32_t> table_;
};

struct NamedValue {
  std::string_view name;
  Value value;
};

struct Arguments {
  std::span<const Value> positional;
  std::span<const NamedValue> named;
};

// Yields values one by one, once.
class Iterator {
 public:
  virtual bool Next(Value* value) = 0;

 protected:
  ~Iterator() = default;
};

// What an iterator draws its items from. A template can wrap iterators in one another without end,
// so each draw is a level of depth.
class Source {
 public:
  Source(Arena& arena, Iterator& items) : arena_(&arena), items_(&items) {}

  bool Next(Value* value) {
    DepthGuard depth(*arena_);
    return items_->Next(value);
  }

 private:
  Arena* arena_;
  Iterator* items_;
};

// Everything else: namespaces, ranges, iterators, functions, macros, the loop variable.
class Object {
 public:
  virtual std::string_view TypeName() const = 0;
  virtual bool IsTrue() const { return Length().value_or(1) != 0; }
  virtual std::optional<std::size_t> Length() const { return std::nullopt; }
  virtual bool IsIndexable() const { return false; }
  virtual Iterator* Iterate(Renderer&) { return nullptr; }  // null: not iterable
  virtual Iterator* IterateReversed(Renderer&) { return nullptr; }
  virtual Value Item(Renderer&, const Value& /*index*/) { return {}; }          // kMissing: none
  virtual Value Attribute(Renderer&, std::string_view /*name*/) { return {}; }  // kMissing: none
  virtual bool IsCallable() const { return false; }
  virtual Value Call(Renderer&, const Arguments&);
  // `depth`, here and below, counts the containers around it.
  virtual bool Equals(Arena&, const Object& other, int /*depth*/) const { return this == &other; }
  // What repr() prints.
  virtual void Print(TextBuilder& out, int depth) const;

 protected:
  ~Object() = default;
};

// A variable bag, the one kind of value that a template can change.
class Namespace final : public Object {
 public:
  explicit Namespace(Arena& arena) : attributes_(arena) {}
  std::string_view TypeName() const override { return "Namespace"; }
  Value Attribute(Renderer&, std::string_view name) override;
  void Print(TextBuilder& out, int depth) const override;
  void Set(std::string_view name, const Value& value);

 private:
  Dict attributes_;
};

// Collects items within the arena's bounds.
class ListBuilder {
 public:
  explicit ListBuilder(Arena& arena) : arena_(arena) {}
  ~ListBuilder() { arena_.Refund(items_.size() * sizeof(Value)); }
  ListBuilder(const ListBuilder&) = delete;
  ListBuilder& operator=(const ListBuilder&) = delete;

  void Append(const Value& value) {
    arena_.Spend(1);
    arena_.Charge(sizeof(Value));
    items_.push_back(value);
  }
  std::size_t size() const { return items_.size(); }
  std::vector<Value>& items() { return items_; }  // for reordering only
  std::span<const Value> Finish() const;

 private:
  Arena& arena_;
  std::vector<Value> items_;
};

// Nested deeper, values are refused where they are walked (printed, compared, hashed).
inline constexpr int kMaxValueDepth = 200;

std::string_view TypeName(const Value& value);  // as Python's type(value).__name__
bool IsTrue(const Value& value);
// Both spend steps: shared parts can make a small value a long walk.
bool Equals(Arena& arena, const Value& left, const Value& right, int depth = 0);
std::size_t Hash(Arena& arena, const Value& value,
                 int depth = 0);  // fails on what Python can't hash
std::span<const Value> CopyItems(Arena& arena, std::span<const Value> items);

}  // namespace switchyard::model::jinja
