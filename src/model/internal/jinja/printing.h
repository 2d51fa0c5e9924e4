// Values as text, the way Python's str, repr and json.dumps write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

std::string_view ToText(Arena& arena, const Value& value);  // str(value); a string is itself
void PrintText(const Value& value, TextBuilder& out);
void PrintRepr(const Value& value, TextBuilder& out, int depth = 0);
std::string Repr(Arena& arena, const Value& value);

// json.dumps's options with transformers' defaults.
struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // of one level; none: all in one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
void PrintJson(Arena& arena, const Value& value, const JsonStyle& style, TextBuilder& out,
               int depth = 0);

void EscapeHtml(std::string_view text, TextBuilder& out);  // markupsafe.escape

}  // namespace switchyard::model::jinja
