// A compiled template: the engine's face towards chat_template.cc. Immutable, so any thread may
// render.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "model/internal/jinja/arena.h"
#include "model/internal/jinja/ast.h"

namespace switchyard::model::jinja {

class Template {
 public:
  // kInvalidArgument with the line of what is wrong.
  static base::Result<std::unique_ptr<Template>> Parse(std::string_view source);

  // kInvalidArgument for what the template or the context got wrong, kResourceExhausted beyond a
  // limit. `now` is what strftime_now shows.
  base::Result<std::string> Render(const base::Json& context,
                                   std::chrono::system_clock::time_point now,
                                   const RenderLimits& limits = {}) const;

 private:
  Tree tree_;
};

}  // namespace switchyard::model::jinja
