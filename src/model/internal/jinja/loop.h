// The variable `loop` in a loop's body; also what drives the loop, as it looks one item ahead.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/internal/jinja/ast.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

class Loop final : public Object, public Iterator {
 public:
  Loop(Renderer& renderer, const For& node, Frame* outer, const Value& iterable, Iterator& source,
       int depth)
      : renderer_(renderer),
        node_(node),
        outer_(outer),
        iterable_(iterable),
        source_(renderer.arena(), source),
        depth_(depth) {}

  bool Next(Value* value) override;

  std::string_view TypeName() const override { return "LoopContext"; }
  bool IsTrue() const override { return true; }
  Iterator* Iterate(Renderer&) override { return this; }
  Value Attribute(Renderer& renderer, std::string_view name) override;
  bool IsCallable() const override { return true; }
  Value Call(Renderer& renderer, const Arguments& arguments) override;  // a recursive loop's

  Value Cycle(const Arguments& arguments) const;
  Value Changed(const Arguments& arguments);

 private:
  bool Peek();  // whether another item follows; it is then in next_
  std::int64_t CountItems();

  Renderer& renderer_;
  const For& node_;
  Frame* outer_;
  Value iterable_;
  Source source_;
  int depth_;
  std::int64_t index_ = -1;
  Value previous_;
  Value current_;
  Value next_;  // kMissing: not looked at yet, or none
  std::optional<std::int64_t> length_;
  Value last_changed_;
};

}  // namespace switchyard::model::jinja
