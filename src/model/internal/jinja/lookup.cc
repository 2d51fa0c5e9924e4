#include "model/internal/jinja/lookup.h"

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/numbers.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/jinja/text.h"
#include "model/internal/jinja/text_values.h"
#include "model/internal/unicode/case_mapping.h"

namespace switchyard::model::jinja {

AttributePath::AttributePath(Renderer& renderer, const Value& path, const Value& otherwise)
    : renderer_(renderer), otherwise_(otherwise) {
  if (!IsGiven(path)) return;
  if (!path.Is(Kind::kString)) {
    parts_.push_back(path);
    return;
  }
  renderer.arena().Charge(path.AsString().size() * sizeof(Value));
  for (const std::string_view part : SplitAt(path.AsString(), ".", kUnlimited)) {
    const bool digits = part.find_first_not_of("0123456789") == std::string_view::npos;
    const auto index = digits && !part.empty() ? ParseInt(part, 10) : std::nullopt;
    parts_.push_back(index ? Value::Int(*index) : Value::String(part));
  }
}

Value AttributePath::Get(const Value& item) const {
  Value value = item;
  for (const Value& part : parts_) {
    renderer_.arena().Spend(1);
    value = renderer_.GetItem(value, part);
    if (value.Is(Kind::kUndefined) && IsGiven(otherwise_)) value = otherwise_;
  }
  return value;
}

Value IgnoreCase(Arena& arena, const Value& value) {
  return value.Is(Kind::kString) ? ConvertText(arena, value, unicode::ToLower) : value;
}

}  // namespace switchyard::model::jinja
