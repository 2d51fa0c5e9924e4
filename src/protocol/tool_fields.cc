#include "protocol/tool_fields.h"

#include <algorithm>

namespace switchyard::protocol {
namespace {

// OpenAI's bounds.
constexpr std::size_t kTools = 128;
constexpr std::size_t kFunctionNameBytes = 64;
constexpr std::size_t kCallsOfAMessage = 256;
constexpr std::size_t kTypeBytes = 64;

ApiError InvalidName(const std::string& param, std::string_view name) {
  return InvalidField(param, "invalid_value",
                      fmt::format("Invalid '{}': '{}' must have 1 to {} letters, digits, '_', '-' "
                                  "or '.'.",
                                  param, name.substr(0, kFunctionNameBytes), kFunctionNameBytes));
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kFunctionNameBytes &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

// {"type":"function", …}; the type may be left out, as vLLM has it.
std::optional<ApiError> CheckType(FieldReader& reader) {
  const auto type = reader.String("type", kTypeBytes);
  if (reader.error()) return reader.error();
  if (type.value_or("function") == "function") return std::nullopt;
  const std::string param = reader.Param("type");
  return InvalidField(
      param, "invalid_value",
      fmt::format("Invalid value for '{}': '{}'. Supported values are: 'function'.", param, *type));
}

// The object in `field`, behind a look at the type.
ApiResult<const base::Json*> FunctionOf(const base::Json& object, const std::string& param) {
  if (!object.is_object()) return std::unexpected(WrongType(param, "an object", object));
  FieldReader reader(object, param + ".");
  if (auto error = CheckType(reader)) return std::unexpected(std::move(*error));
  const base::Json* function = reader.Find("function");
  if (function == nullptr) {
    reader.FailMissing("function");
    return std::unexpected(*reader.error());
  }
  if (!function->is_object()) {
    return std::unexpected(WrongType(param + ".function", "an object", *function));
  }
  return function;
}

ApiResult<std::string> NameOf(const base::Json& function, const std::string& param) {
  FieldReader reader(function, param + ".");
  const base::Json* name = reader.Find("name");
  if (name == nullptr) {
    reader.FailMissing("name");
    return std::unexpected(*reader.error());
  }
  if (!name->is_string()) {
    return std::unexpected(WrongType(param + ".name", "a string", *name));
  }
  return name->get<std::string>();
}

ApiResult<Tool> ReadTool(const base::Json& object, const std::string& param) {
  auto found = FunctionOf(object, param);
  if (!found) return std::unexpected(std::move(found.error()));
  base::Json function = **found;
  const std::string inner = param + ".function";
  auto name = NameOf(function, inner);
  if (!name) return std::unexpected(std::move(name.error()));
  if (!IsName(*name)) return std::unexpected(InvalidName(inner + ".name", *name));
  FieldReader reader(function, inner + ".");
  Tool tool;
  tool.name = *name;
  tool.strict = reader.Boolean("strict").value_or(false);
  // Templates join a description to text and look into the parameters: both are always there.
  base::Json description = reader.String("description", std::string::npos).value_or("");
  const base::Json* given = reader.Find("parameters");
  base::Json parameters = {{"type", "object"}, {"properties", base::Json::object()}};
  if (given != nullptr && !given->is_object()) {
    return std::unexpected(WrongType(inner + ".parameters", "an object", *given));
  }
  if (given != nullptr && !given->empty()) parameters = *given;
  if (reader.error()) return std::unexpected(*reader.error());
  function.erase("strict");
  base::Json definition = {{"name", *name},
                           {"description", std::move(description)},
                           {"parameters", std::move(parameters)}};
  for (auto& [key, value] : function.items()) {
    if (!definition.contains(key)) definition[key] = value;
  }
  tool.definition = {{"type", "function"}, {"function", std::move(definition)}};
  return tool;
}

ApiResult<std::vector<Tool>> ReadList(const base::Json& list) {
  if (!list.is_array()) return std::unexpected(WrongType("tools", "an array", list));
  if (list.size() > kTools) {
    return std::unexpected(InvalidField(
        "tools", "array_above_max_length",
        fmt::format("Invalid 'tools': array too long. Expected at most {} tools, but got {}.",
                    kTools, list.size())));
  }
  std::vector<Tool> tools;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string param = fmt::format("tools[{}]", i);
    auto tool = ReadTool(list[i], param);
    if (!tool) return std::unexpected(std::move(tool.error()));
    if (FindTool(tools, tool->name) != nullptr) {
      return std::unexpected(InvalidField(
          param + ".function.name", "invalid_value",
          fmt::format("Invalid '{}.function.name': two tools are named '{}'.", param, tool->name)));
    }
    tools.push_back(std::move(*tool));
  }
  return tools;
}

ApiError NoSuchChoice(std::string_view param, std::string_view value) {
  return InvalidField(std::string(param), "invalid_value",
                      fmt::format("Invalid value for '{}': '{}'. Supported values are: 'none', "
                                  "'auto', 'required', a function or 'allowed_tools'.",
                                  param, value));
}

// Leaves in `tools` those alone that the reference, {"type":"function","function":{"name":…}},
// names; the Responses interface has the name one level higher, which is taken as well.
std::optional<ApiError> KeepNamed(const base::Json& reference, const std::string& param,
                                  const std::vector<Tool>& tools, std::vector<Tool>& kept) {
  const bool is_flat = reference.is_object() && reference.contains("name");
  const auto function =
      is_flat ? ApiResult<const base::Json*>(&reference) : FunctionOf(reference, param);
  if (!function) return function.error();
  const auto name = NameOf(**function, is_flat ? param : param + ".function");
  if (!name) return name.error();
  const Tool* tool = FindTool(tools, *name);
  if (tool == nullptr) {
    return InvalidField(
        param, "invalid_value",
        fmt::format("Invalid value for '{}': there is no tool named '{}' in 'tools'.", param,
                    name->substr(0, kFunctionNameBytes)));
  }
  if (FindTool(kept, *name) == nullptr) kept.push_back(*tool);
  return std::nullopt;
}

std::optional<ApiError> ReadAllowed(const base::Json& choice, const std::vector<Tool>& tools,
                                    std::vector<Tool>& kept, ToolFields& fields) {
  // OpenAI writes the list one level deeper than its Responses interface.
  const auto deeper = choice.find("allowed_tools");
  const bool is_deep = deeper != choice.end() && deeper->is_object();
  const base::Json& allowed = is_deep ? *deeper : choice;
  const std::string param = is_deep ? "tool_choice.allowed_tools" : "tool_choice";
  FieldReader reader(allowed, param + ".");
  const std::string mode = reader.String("mode", kTypeBytes).value_or("auto");
  const base::Json* list = reader.Find("tools");
  if (list == nullptr) reader.FailMissing("tools");
  if (reader.error()) return reader.error();
  if (mode != "auto" && mode != "required") {
    return InvalidField(param + ".mode", "invalid_value",
                        fmt::format("Invalid value for '{}.mode': '{}'. Supported values are: "
                                    "'auto' and 'required'.",
                                    param, mode));
  }
  if (!list->is_array() || list->empty()) {
    return WrongType(param + ".tools", "an array of tools", *list);
  }
  fields.choice = mode == "auto" ? ToolChoice::kAuto : ToolChoice::kRequired;
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (auto error = KeepNamed((*list)[i], fmt::format("{}.tools[{}]", param, i), tools, kept)) {
      return error;
    }
  }
  return std::nullopt;
}

std::optional<ApiError> ReadChoice(const base::Json& choice, std::vector<Tool>& tools,
                                   ToolFields& fields) {
  if (choice.is_string()) {
    const auto& word = choice.get_ref<const std::string&>();
    if (word == "none") {
      fields.choice = ToolChoice::kNone;
    } else if (word == "required") {
      fields.choice = ToolChoice::kRequired;
    } else if (word != "auto") {
      return NoSuchChoice("tool_choice", word.substr(0, kTypeBytes));
    }
    return std::nullopt;
  }
  if (!choice.is_object()) {
    return WrongType("tool_choice", "a string or an object", choice);
  }
  std::vector<Tool> kept;
  std::optional<ApiError> error;
  if (const auto type = choice.find("type"); type != choice.end() && *type == "allowed_tools") {
    error = ReadAllowed(choice, tools, kept, fields);
  } else {
    fields.choice = ToolChoice::kRequired;
    fields.is_named = true;
    error = KeepNamed(choice, "tool_choice", tools, kept);
  }
  tools = std::move(kept);
  return error;
}

}  // namespace

base::Json ToolFields::Definitions() const {
  if (!may_call() || tools->empty()) return nullptr;
  base::Json list = base::Json::array();
  for (const Tool& tool : *tools) list.push_back(tool.definition);
  return list;
}

ToolFields ReadTools(FieldReader& reader) {
  ToolFields fields;
  fields.parallel = reader.Boolean("parallel_tool_calls").value_or(true);
  const base::Json* list = reader.Find("tools");
  const base::Json* choice = reader.Find("tool_choice");
  std::vector<Tool> tools;
  if (list != nullptr) {
    auto read = ReadList(*list);
    if (!read) {
      reader.Fail(std::move(read.error()));
      return fields;
    }
    tools = std::move(*read);
  }
  if (tools.empty()) {
    if (choice != nullptr && *choice != "none" && *choice != "auto") {
      reader.Fail(InvalidField("tool_choice", "invalid_value",
                               "Invalid value for 'tool_choice': 'tool_choice' is only allowed "
                               "when 'tools' are specified."));
    }
    return fields;
  }
  fields.choice = ToolChoice::kAuto;
  if (choice != nullptr) {
    if (auto error = ReadChoice(*choice, tools, fields)) reader.Fail(std::move(*error));
  }
  if (fields.is_named) fields.parallel = false;
  fields.tools = std::make_shared<std::vector<Tool>>(std::move(tools));
  return fields;
}

ApiResult<base::Json> ReadToolCalls(const base::Json& calls, const std::string& param) {
  if (!calls.is_array()) return std::unexpected(WrongType(param, "an array", calls));
  if (calls.size() > kCallsOfAMessage) {
    return std::unexpected(
        InvalidField(param, "array_above_max_length",
                     fmt::format("Invalid '{}': array too long. Expected at most {} calls, but got "
                                 "{}.",
                                 param, kCallsOfAMessage, calls.size())));
  }
  base::Json read = base::Json::array();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const std::string at = fmt::format("{}[{}]", param, i);
    const auto function = FunctionOf(calls[i], at);
    if (!function) return std::unexpected(function.error());
    const std::string inner = at + ".function";
    const auto name = NameOf(**function, inner);
    if (!name) return std::unexpected(name.error());
    FieldReader outer(calls[i], at + ".");
    FieldReader reader(**function, inner + ".");
    const std::string id = outer.String("id", 1024).value_or("");
    std::string arguments = reader.String("arguments", std::string::npos).value_or("{}");
    if (outer.error()) return std::unexpected(*outer.error());
    if (reader.error()) return std::unexpected(*reader.error());
    if (arguments.find_first_not_of(" \n\r\t") == std::string::npos) arguments = "{}";
    const auto object = base::ParseJson(arguments, inner + ".arguments");
    if (!object || !object->is_object()) {
      return std::unexpected(InvalidField(
          inner + ".arguments", "invalid_value",
          fmt::format("Invalid '{}.arguments': it must be the text of a JSON object.", inner)));
    }
    read.push_back({{"id", id},
                    {"type", "function"},
                    {"function", {{"name", *name}, {"arguments", std::move(arguments)}}}});
  }
  return read;
}

}  // namespace switchyard::protocol
