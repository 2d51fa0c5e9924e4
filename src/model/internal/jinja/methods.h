// The methods of Python's built-in types that a template may call.
#pragma once

#include <span>
#include <string_view>

#include "model/internal/jinja/functions.h"
#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

struct MethodEntry {
  std::string_view name;
  NativeFunction call;
};

// object.name as a callable: kMissing where the type has no such method; undefined where the
// sandbox forbids it, as for all that would change a list or dict.
Value FindMethod(Arena& arena, const Value& object, std::string_view name);

// Those of str, in two files.
std::span<const MethodEntry> TextMethods();
std::span<const MethodEntry> TextSearchMethods();

}  // namespace switchyard::model::jinja
