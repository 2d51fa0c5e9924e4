#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/json_schema.h"

namespace switchyard::grammar {
namespace {

using base::Json;
using base::Status;

// The place as OpenAI's errors show it: ('properties', 'a').
using Context = std::vector<std::string>;

std::unexpected<base::Error> At(const Context& context, std::string_view sentence) {
  std::string names;
  for (const std::string& name : context) {
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", name);
  }
  return base::Fail(base::ErrorCode::kInvalidArgument, "In context=({}), {}", names, sentence);
}

Status Check(const Json& schema, Context& context);

Status CheckWithin(const Json& schema, Context& context, const std::string& name) {
  context.push_back(name);
  SWITCHYARD_RETURN_IF_ERROR(Check(schema, context));
  context.pop_back();
  return {};
}

Status CheckObject(const Json& schema, Context& context) {
  if (!schema.contains("additionalProperties") || schema["additionalProperties"] != false) {
    return At(context, "'additionalProperties' is required to be supplied and to be false.");
  }
  if (!schema.contains("properties")) return {};
  std::set<std::string_view> required;
  if (schema.contains("required") && schema["required"].is_array()) {
    for (const Json& name : schema["required"]) {
      if (name.is_string()) required.insert(name.get_ref<const std::string&>());
    }
  }
  for (const auto& [name, property] : schema["properties"].items()) {
    if (required.contains(name)) continue;
    return At(
        context,
        fmt::format("'required' is required to be supplied and to be an array including every "
                    "key in properties. Missing '{}'.",
                    name));
  }
  return {};
}

// Depth is bounded by that of the text.
Status Check(const Json& schema, Context& context) {
  if (!schema.is_object()) return {};
  const bool is_object =
      schema.contains("properties") || (schema.contains("type") && schema["type"] == "object");
  if (is_object) SWITCHYARD_RETURN_IF_ERROR(CheckObject(schema, context));
  for (const std::string name : {"properties", "$defs", "definitions"}) {
    if (!schema.contains(name) || !schema[name].is_object()) continue;
    for (const auto& [key, child] : schema[name].items()) {
      context.push_back(name);
      SWITCHYARD_RETURN_IF_ERROR(CheckWithin(child, context, key));
      context.pop_back();
    }
  }
  for (const std::string name : {"anyOf", "oneOf", "allOf", "prefixItems"}) {
    if (!schema.contains(name) || !schema[name].is_array()) continue;
    for (std::size_t i = 0; i < schema[name].size(); ++i) {
      context.push_back(name);
      SWITCHYARD_RETURN_IF_ERROR(CheckWithin(schema[name][i], context, std::to_string(i)));
      context.pop_back();
    }
  }
  if (schema.contains("items")) return CheckWithin(schema["items"], context, "items");
  return {};
}

}  // namespace

Status CheckStrict(const Json& schema) {
  Context context;
  if (!schema.is_object() || !schema.contains("type") || schema["type"] != "object") {
    const std::string got = !schema.is_object()          ? "no object"
                            : !schema.contains("type")   ? "None"
                            : schema["type"].is_string() ? schema["type"].get<std::string>()
                                                         : "a list";
    return At(context, fmt::format("schema must be of 'type' 'object', got 'type: \"{}\"'.", got));
  }
  return Check(schema, context);
}

}  // namespace switchyard::grammar
