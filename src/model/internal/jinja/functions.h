// Callables that are not macros: methods bound to their object, and the globals that jinja2 and
// transformers give every template.
#pragma once

#include <string_view>

#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

using NativeFunction = Value (*)(Renderer& renderer, const Value& self, const Arguments& arguments);

// `name` must outlive the arena.
Value MakeMethod(Arena& arena, std::string_view name, const Value& self, NativeFunction call);

// range, dict, namespace, cycler, joiner, raise_exception, strftime_now; kMissing if unknown.
Value FindGlobal(Arena& arena, std::string_view name);

}  // namespace switchyard::model::jinja
