// Iterating over values, and the iterable objects that are not plain containers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

Iterator* FindIterator(Renderer& renderer, const Value& value);             // null: not iterable
Iterator& IteratorOver(Renderer& renderer, const Value& value);             // fails if not iterable
Source SourceOver(Renderer& renderer, const Value& value);                  // the same
Iterator* FindReversed(Renderer& renderer, const Value& value);             // null: not reversible
std::span<const Value> ItemsOf(Renderer& renderer, const Value& iterable);  // list(iterable)

// What lazy filters return: Python's generator, which runs once. Owned by the arena, as is what
// it iterates over: a Source, unless that can't be an iterator which a template has made.
class Generator : public Object, public Iterator {
 public:
  explicit Generator(std::string_view type_name = "generator") : type_name_(type_name) {}
  std::string_view TypeName() const override { return type_name_; }
  Iterator* Iterate(Renderer&) override { return this; }

 protected:
  ~Generator() = default;

 private:
  std::string_view type_name_;
};

// range(start, stop, step) within the sandbox's 100,000 items.
class Range final : public Object {
 public:
  Range(std::int64_t start, std::int64_t stop, std::int64_t step);  // fails if too long
  std::string_view TypeName() const override { return "range"; }
  std::optional<std::size_t> Length() const override { return count_; }
  bool IsIndexable() const override { return true; }
  Iterator* Iterate(Renderer& renderer) override;
  Iterator* IterateReversed(Renderer& renderer) override;
  Value Item(Renderer&, const Value& index) override;
  bool Equals(Arena&, const Object& other, int depth) const override;
  void Print(TextBuilder& out, int depth) const override;

 private:
  std::int64_t start_;
  std::int64_t stop_;
  std::int64_t step_;
  std::size_t count_ = 0;
};

// dict.keys(), .values() and .items().
class DictView final : public Object {
 public:
  enum class Part { kKeys, kValues, kItems };
  DictView(const Dict& dict, Part part) : dict_(dict), part_(part) {}
  std::string_view TypeName() const override;
  std::optional<std::size_t> Length() const override { return dict_.entries().size(); }
  Iterator* Iterate(Renderer& renderer) override;
  Iterator* IterateReversed(Renderer& renderer) override;
  void Print(TextBuilder& out, int depth) const override;

 private:
  const Dict& dict_;
  Part part_;
};

Value MakePair(Arena& arena, const Value& first, const Value& second);
// A generator over the rest of `iterator`, such as Python's list_reverseiterator.
Value MakeIterator(Arena& arena, Iterator& iterator, std::string_view type_name);

}  // namespace switchyard::model::jinja
