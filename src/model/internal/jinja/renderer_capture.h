// The redirection of output that all parts of the renderer use.
#pragma once

#include "model/internal/jinja/renderer.h"

namespace switchyard::model::jinja {

// What is printed while it lives becomes a text instead of output.
class Renderer::Capture {
 public:
  explicit Capture(Renderer& renderer)
      : renderer_(renderer), outside_(renderer.out_), text_(renderer.arena_) {
    renderer_.out_ = &text_;
  }
  ~Capture() { renderer_.out_ = outside_; }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  Value Finish() { return Value::String(text_.Finish()); }

 private:
  Renderer& renderer_;
  TextBuilder* outside_;
  TextBuilder text_;
};

}  // namespace switchyard::model::jinja
