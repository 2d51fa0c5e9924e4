// A macro, or the caller that a call block hands to one: a part of the tree with the frame that it
// was defined in.
#pragma once

#include <string_view>

#include "model/internal/jinja/ast.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

class Macro final : public Object {
 public:
  Macro(const MacroBody& body, Frame* definition) : body_(body), definition_(definition) {}
  std::string_view TypeName() const override { return "Macro"; }
  Value Attribute(Renderer& renderer, std::string_view name) override;
  bool IsCallable() const override { return true; }
  Value Call(Renderer& renderer, const Arguments& arguments) override {
    return renderer.CallMacro(body_, definition_, arguments);
  }
  void Print(TextBuilder& out, int depth) const override;

 private:
  const MacroBody& body_;
  Frame* definition_;
};

}  // namespace switchyard::model::jinja
