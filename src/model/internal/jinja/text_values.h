// Operations on string values that methods and filters share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

// `text` as a value: markup if `like` is.
Value TextLike(const Value& like, std::string_view text);
Value ConvertText(Arena& arena, const Value& text, std::string (*convert)(std::string_view));
Value StripText(const Value& text, const Value& characters, bool left, bool right);
// Replaces the first `count` occurrences, all if negative.
std::string_view ReplaceText(Arena& arena, std::string_view text, std::string_view old_text,
                             std::string_view new_text, std::int64_t count);
// Pads to `width` code points; `align` is '<', '>' or '^'.
Value JustifyText(Arena& arena, const Value& text, std::int64_t width, std::string_view fill,
                  char align);

}  // namespace switchyard::model::jinja
