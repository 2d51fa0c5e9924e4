#include "base/json_reading.h"

#include <cmath>

namespace switchyard::base {

const Json& At(const Json& json, const char* key) {
  static const Json kNull;
  if (!json.is_object()) return kNull;
  const auto found = json.find(key);
  return found == json.end() ? kNull : *found;
}

std::string TextAt(const Json& json, const char* key) {
  const Json& value = At(json, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t CountAt(const Json& json, const char* key) {
  const Json& value = At(json, key);
  if (!value.is_number()) return 0;
  const auto number = value.get<double>();
  return number > 0 && number < 1e15 ? static_cast<std::int64_t>(number) : 0;
}

double NumberAt(const Json& json, const char* key) {
  const Json& value = At(json, key);
  const double number = value.is_number() ? value.get<double>() : 0;
  return std::isfinite(number) && number > 0 ? number : 0;
}

bool FlagAt(const Json& json, const char* key) {
  const Json& value = At(json, key);
  return value.is_boolean() && value.get<bool>();
}

std::vector<std::string> TextsAt(const Json& json, const char* key) {
  std::vector<std::string> texts;
  if (const Json& list = At(json, key); list.is_array()) {
    for (const Json& element : list) {
      if (element.is_string()) texts.push_back(element.get<std::string>());
    }
  }
  return texts;
}

}  // namespace switchyard::base
