#include "grammar/internal/schema_algebra.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

namespace switchyard::grammar::internal {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;
using base::Result;

constexpr int kMostReferences = 32;  // one to the other, before something else comes

// The schema itself, or what its $ref leads to if it says nothing else.
const Json& Follow(const Json& root, const Json& schema) {
  const Json* at = &schema;
  for (int i = 0; i < kMostReferences; ++i) {
    if (!at->is_object() || !at->contains("$ref") || !(*at)["$ref"].is_string()) break;
    const auto target = Resolve(root, (*at)["$ref"].get<std::string>());
    if (!target) break;
    at = *target;
  }
  return *at;
}

// The values that `schema` lists, if it does.
std::optional<std::vector<Json>> ConstantsOf(const Json& schema) {
  if (!schema.is_object()) return std::nullopt;
  if (schema.contains("const")) return std::vector<Json>{schema["const"]};
  if (!schema.contains("enum") || !schema["enum"].is_array()) return std::nullopt;
  return std::vector<Json>(schema["enum"].begin(), schema["enum"].end());
}

bool ShareNone(const std::vector<Json>& a, const std::vector<Json>& b) {
  return std::ranges::none_of(a, [&](const Json& x) { return std::ranges::find(b, x) != b.end(); });
}

bool Overlap(const std::string& a, const std::string& b) {
  return a == b || (a == "integer" && b == "number") || (a == "number" && b == "integer");
}

bool IsRequired(const Json& schema, const std::string& name) {
  if (!schema.contains("required") || !schema["required"].is_array()) return false;
  return std::ranges::find(schema["required"], Json(name)) != schema["required"].end();
}

std::vector<std::string> CommonTypes(const Json& a, const Json& b) {
  std::vector<std::string> common;
  for (const std::string& x : TypesOf(a)) {
    for (const std::string& y : TypesOf(b)) {
      if (!Overlap(x, y)) continue;
      const std::string& narrower = x == "integer" ? x : y;
      if (std::ranges::find(common, narrower) == common.end()) common.push_back(narrower);
    }
  }
  return common;
}

std::unexpected<base::Error> CannotMerge(const std::string& keyword) {
  return Fail(ErrorCode::kInvalidArgument, "'{}' is said twice, in ways that can't be put together",
              keyword);
}

Result<Json> MergeProperties(const Json& a, const Json& b) {
  if (!a.is_object() || !b.is_object()) return CannotMerge("properties");
  Json merged = a;
  for (const auto& [name, schema] : b.items()) {
    // Put together when it is read.
    merged[name] = a.contains(name) ? Json{{"allOf", Json::array({a[name], schema})}} : schema;
  }
  return merged;
}

// One keyword that both have, with different values.
Result<Json> MergeKeyword(const std::string& keyword, const Json& a, const Json& b) {
  static constexpr auto kLargest =
      std::to_array<std::string_view>({"minimum", "exclusiveMinimum", "minLength", "minItems"});
  static constexpr auto kSmallest =
      std::to_array<std::string_view>({"maximum", "exclusiveMaximum", "maxLength", "maxItems"});
  if (std::ranges::find(kLargest, keyword) != kLargest.end() && a.is_number() && b.is_number()) {
    return std::max(a, b);
  }
  if (std::ranges::find(kSmallest, keyword) != kSmallest.end() && a.is_number() && b.is_number()) {
    return std::min(a, b);
  }
  if (keyword == "properties") return MergeProperties(a, b);
  if (keyword == "required" && a.is_array() && b.is_array()) {
    Json merged = a;
    for (const Json& name : b) {
      if (std::ranges::find(merged, name) == merged.end()) merged.push_back(name);
    }
    return merged;
  }
  if (keyword == "enum" && a.is_array() && b.is_array()) {
    Json merged = Json::array();
    for (const Json& value : a) {
      if (std::ranges::find(b, value) != b.end()) merged.push_back(value);
    }
    return merged;
  }
  if (keyword == "allOf" && a.is_array() && b.is_array()) {
    Json merged = a;
    merged.insert(merged.end(), b.begin(), b.end());
    return merged;
  }
  if (keyword == "items") return Json{{"allOf", Json::array({a, b})}};
  return CannotMerge(keyword);
}

// {"additionalProperties": false} speaks of the properties beside it only.
bool ClosesOver(const Json& closed, const Json& other) {
  if (!closed.contains("additionalProperties") || closed["additionalProperties"] == true) {
    return false;
  }
  if (!other.contains("properties")) return false;
  return std::ranges::any_of(other["properties"].items(), [&](const auto& item) {
    return !closed.contains("properties") || !closed["properties"].contains(item.key());
  });
}

}  // namespace

Result<const Json*> Resolve(const Json& root, const std::string& pointer) {
  const auto nowhere = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                "the reference '{}' leads nowhere: only '#' and '#/…' within the schema are "
                "followed",
                pointer);
  };
  if (!pointer.starts_with("#")) return nowhere();
  const Json* at = &root;
  std::string_view rest = std::string_view(pointer).substr(1);
  while (!rest.empty()) {
    if (rest.front() != '/') return nowhere();
    rest.remove_prefix(1);
    std::string name;
    for (; !rest.empty() && rest.front() != '/'; rest.remove_prefix(1)) {
      const bool is_escape = rest.front() == '~' && rest.size() > 1;
      if (is_escape) rest.remove_prefix(1);
      name += !is_escape ? rest.front() : rest.front() == '1' ? '/' : '~';
    }
    if (at->is_object() && at->contains(name)) {
      at = &(*at)[name];
    } else if (at->is_array() && !name.empty() && name.size() < 7 &&
               std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }) &&
               std::stoul(name) < at->size()) {
      at = &(*at)[std::stoul(name)];
    } else {
      return nowhere();
    }
  }
  return at;
}

bool IsAnnotation(const std::string& keyword) {
  static constexpr auto kAnnotations = std::to_array<std::string_view>(
      {"title", "description", "default", "examples", "example", "$schema", "$id", "$comment",
       "$defs", "definitions", "deprecated", "readOnly", "writeOnly", "discriminator"});
  return std::ranges::find(kAnnotations, keyword) != kAnnotations.end() ||
         keyword.starts_with("x-");
}

Result<Json> Merge(const Json& root, const Json& first, const Json& second) {
  const Json& a = Follow(root, first);
  const Json& b = Follow(root, second);
  if (a.is_boolean()) return a == true ? b : a;
  if (b.is_boolean()) return b == true ? a : b;
  if (!a.is_object() || !b.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "a schema is an object or a boolean");
  }
  if (ClosesOver(a, b) || ClosesOver(b, a)) return CannotMerge("additionalProperties");
  Json merged = a;
  for (const auto& [keyword, value] : b.items()) {
    if (!merged.contains(keyword)) {
      merged[keyword] = value;
    } else if (merged[keyword] == value || IsAnnotation(keyword)) {
      continue;
    } else if (keyword == "type") {
      merged[keyword] = CommonTypes(a, b);
    } else {
      SWITCHYARD_TRY(merged[keyword], MergeKeyword(keyword, a[keyword], value));
    }
  }
  return merged;
}

bool ExcludeEachOther(const Json& root, const Json& first, const Json& second) {
  const Json& a = Follow(root, first);
  const Json& b = Follow(root, second);
  if (!a.is_object() || !b.is_object()) return false;
  const auto a_values = ConstantsOf(a);
  const auto b_values = ConstantsOf(b);
  if (a_values && b_values) return ShareNone(*a_values, *b_values);
  const std::vector<std::string> a_types = TypesOf(a);
  const std::vector<std::string> b_types = TypesOf(b);
  if (!a_types.empty() && !b_types.empty() && CommonTypes(a, b).empty()) return true;
  if (!a.contains("properties") || !b.contains("properties")) return false;
  const bool are_objects = a_types == std::vector<std::string>{"object"} || b_types == a_types;
  if (!are_objects || !a["properties"].is_object() || !b["properties"].is_object()) return false;
  return std::ranges::any_of(a["properties"].items(), [&](const auto& item) {
    const std::string& name = item.key();
    if (!b["properties"].contains(name) || !IsRequired(a, name) || !IsRequired(b, name)) {
      return false;
    }
    const auto x = ConstantsOf(Follow(root, item.value()));
    const auto y = ConstantsOf(Follow(root, b["properties"][name]));
    return x && y && ShareNone(*x, *y);
  });
}

std::vector<std::string> TypesOf(const Json& schema) {
  std::vector<std::string> types;
  if (!schema.contains("type")) return types;
  const Json& type = schema["type"];
  if (type.is_string()) types.push_back(type.get<std::string>());
  if (!type.is_array()) return types;
  for (const Json& one : type) {
    if (one.is_string()) types.push_back(one.get<std::string>());
  }
  return types;
}

bool IsOfType(const Json& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "number") return value.is_number();
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number_float() && std::floor(value.get<double>()) == value.get<double>());
  }
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "object") return value.is_object();
  return type == "array" && value.is_array();
}

}  // namespace switchyard::grammar::internal
