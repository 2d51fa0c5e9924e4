// The guards that all parts of the renderer use.
#pragma once

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/renderer.h"

namespace switchyard::model::jinja {

// One more node on the stack.
class Renderer::DepthGuard {
 public:
  explicit DepthGuard(Renderer& renderer) : renderer_(renderer) {
    if (renderer_.depth_ >= renderer_.arena_.limits().max_depth) {
      Raise(FailureKind::kLimit, "the template recurses deeper than {} levels",
            renderer_.arena_.limits().max_depth);
    }
    ++renderer_.depth_;
  }
  ~DepthGuard() { --renderer_.depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  Renderer& renderer_;
};

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
