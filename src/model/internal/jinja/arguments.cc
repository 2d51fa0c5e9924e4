#include "model/internal/jinja/arguments.h"

#include <algorithm>

#include "model/internal/jinja/failure.h"

namespace switchyard::model::jinja {

void BindArguments(std::string_view function, const Arguments& arguments,
                   std::span<const std::string_view> names, std::size_t required,
                   std::span<Value> values) {
  if (arguments.positional.size() > names.size()) {
    Raise(FailureKind::kType, "{}() takes at most {} arguments ({} given)", function, names.size(),
          arguments.positional.size());
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), values.begin());
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      Raise(FailureKind::kType, "{}() got an unexpected keyword argument '{}'", function, name);
    }
    Value& target = values[static_cast<std::size_t>(found - names.begin())];
    if (!target.Is(Kind::kMissing)) {
      Raise(FailureKind::kType, "{}() got multiple values for argument '{}'", function, name);
    }
    target = value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (values[i].Is(Kind::kMissing)) {
      Raise(FailureKind::kType, "{}() missing required argument: '{}'", function, names[i]);
    }
  }
}

void ExpectNoArguments(std::string_view function, const Arguments& arguments) {
  BindArguments(function, arguments, {}, 0, {});
}

bool IsGiven(const Value& value) { return !value.Is(Kind::kMissing) && !value.Is(Kind::kNone); }

std::int64_t ToInt(const Value& value, std::string_view what) {
  if (value.Is(Kind::kUndefined)) value.FailUndefined();
  if (!value.IsIntegral()) {
    Raise(FailureKind::kType, "{} must be an integer, not '{}'", what, TypeName(value));
  }
  return value.AsInt();
}

std::string_view ToString(const Value& value, std::string_view what) {
  if (value.Is(Kind::kUndefined)) value.FailUndefined();
  if (!value.Is(Kind::kString)) {
    Raise(FailureKind::kType, "{} must be str, not '{}'", what, TypeName(value));
  }
  return value.AsString();
}

}  // namespace switchyard::model::jinja
