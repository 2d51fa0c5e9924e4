#include "protocol/chat_input.h"

#include <algorithm>
#include <array>

namespace switchyard::protocol {
namespace {

constexpr std::size_t kDocuments = 1024;
constexpr std::size_t kVariables = 64;

ApiResult<std::string> ReadContent(const base::Json& content, const std::string& param) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) {
    return std::unexpected(WrongType(param, "a string or an array of parts", content));
  }
  std::string text;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const base::Json& part = content[i];
    const std::string at = fmt::format("{}[{}]", param, i);
    if (!part.is_object()) return std::unexpected(WrongType(at, "an object", part));
    FieldReader reader(part, at + ".");
    const auto type = reader.String("type", kNameBytes);
    if (reader.error()) return std::unexpected(*reader.error());
    if (type != "text") {
      return std::unexpected(InvalidField(
          at + ".type", "invalid_value",
          fmt::format("Invalid value for '{}.type': this server takes parts of type 'text' only.",
                      at)));
    }
    const base::Json* value = reader.Find("text");
    if (value == nullptr) reader.FailMissing("text");
    if (reader.error()) return std::unexpected(*reader.error());
    if (!value->is_string()) return std::unexpected(WrongType(at + ".text", "a string", *value));
    if (!text.empty()) text += '\n';
    text += value->get_ref<const std::string&>();
  }
  return text;
}

ApiResult<base::Json> ReadMessage(const base::Json& message, const std::string& param) {
  if (!message.is_object()) return std::unexpected(WrongType(param, "an object", message));
  FieldReader reader(message, param + ".");
  const auto role = reader.String("role", kNameBytes);
  if (!role) reader.FailMissing("role");
  const auto name = reader.String("name", kNameBytes);
  for (const std::string_view field : {"function_call", "audio"}) {
    const base::Json* value = reader.Find(field);
    if (value == nullptr || value->empty()) continue;
    reader.Fail(InvalidField(reader.Param(field), "unsupported_parameter",
                             fmt::format("Unsupported parameter: '{}' is not supported by this "
                                         "server.",
                                         reader.Param(field))));
  }
  if (reader.error()) return std::unexpected(*reader.error());
  static constexpr auto kRoles =
      std::to_array<std::string_view>({"system", "developer", "user", "assistant", "tool"});
  if (std::ranges::find(kRoles, *role) == kRoles.end()) {
    return std::unexpected(InvalidField(
        param + ".role", "invalid_value",
        fmt::format("Invalid value: '{}'. Supported values are: 'system', 'developer', 'user', "
                    "'assistant' and 'tool'.",
                    *role)));
  }
  base::Json read = {{"role", *role == "developer" ? "system" : *role}, {"content", ""}};
  const base::Json* calls = *role == "assistant" ? reader.Find("tool_calls") : nullptr;
  if (calls != nullptr && !calls->empty()) {
    auto list = ReadToolCalls(*calls, param + ".tool_calls");
    if (!list) return std::unexpected(std::move(list.error()));
    read["tool_calls"] = std::move(*list);
  }
  if (*role == "assistant") {
    // vLLM's name for it, then the one that it gave it later.
    auto reasoning = reader.String("reasoning_content", std::string::npos);
    if (!reasoning) reasoning = reader.String("reasoning", std::string::npos);
    if (reasoning && !reasoning->empty()) read["reasoning_content"] = std::move(*reasoning);
  }
  if (*role == "tool") {
    const auto id = reader.String("tool_call_id", kNameBytes);
    if (!id) reader.FailMissing("tool_call_id");
    read["tool_call_id"] = id.value_or("");
  }
  if (name) read["name"] = *name;
  if (reader.error()) return std::unexpected(*reader.error());
  const base::Json* content = reader.Find("content");
  if (content == nullptr) {
    // Who only calls says nothing.
    if (read.contains("tool_calls") || read.contains("reasoning_content")) return read;
    reader.FailMissing("content");
    return std::unexpected(*reader.error());
  }
  auto text = ReadContent(*content, param + ".content");
  if (!text) return std::unexpected(std::move(text.error()));
  read["content"] = std::move(*text);
  return read;
}

void ReadVariables(FieldReader& reader, base::Json& variables) {
  const base::Json* given = reader.Find("chat_template_kwargs");
  if (given == nullptr) return;
  if (!given->is_object()) {
    return reader.Fail(WrongType("chat_template_kwargs", "an object", *given));
  }
  if (given->size() > kVariables) {
    return reader.Fail(InvalidField("chat_template_kwargs", "object_above_max_properties",
                                    fmt::format("Invalid 'chat_template_kwargs': at most {} "
                                                "entries, but got {}.",
                                                kVariables, given->size())));
  }
  // Those that have fields of their own.
  for (const std::string_view name :
       {"messages", "tools", "documents", "add_generation_prompt", "continue_final_message",
        "chat_template", "tokenize", "bos_token", "eos_token"}) {
    if (!given->contains(name)) continue;
    const std::string param = fmt::format("chat_template_kwargs.{}", name);
    return reader.Fail(
        InvalidField(param, "invalid_value",
                     fmt::format("Invalid '{}': '{}' cannot be set there.", param, name)));
  }
  variables = *given;
}

}  // namespace

TemplateFields ReadTemplateFields(FieldReader& reader) {
  TemplateFields fields;
  ReadVariables(reader, fields.variables);
  // Templates that know no such word pay it no heed, as with any other variable.
  if (const auto effort = reader.String("reasoning_effort", kNameBytes)) {
    fields.variables["reasoning_effort"] = *effort;
  }
  if (const base::Json* documents = reader.Find("documents")) {
    if (!documents->is_array() || documents->size() > kDocuments ||
        !std::ranges::all_of(*documents, &base::Json::is_object)) {
      reader.Fail(InvalidField("documents", "invalid_type",
                               fmt::format("Invalid 'documents': expected an array of at most {} "
                                           "objects.",
                                           kDocuments)));
    } else if (!documents->empty()) {
      fields.documents = *documents;
    }
  }
  fields.continue_final_message = reader.Boolean("continue_final_message").value_or(false);
  const auto prompt = reader.Boolean("add_generation_prompt");
  fields.add_generation_prompt = prompt.value_or(!fields.continue_final_message);
  if (fields.add_generation_prompt && fields.continue_final_message) {
    reader.Fail(InvalidField("continue_final_message", "invalid_parameter_combination",
                             "'continue_final_message' and 'add_generation_prompt' exclude each "
                             "other."));
  }
  return fields;
}

std::optional<ApiError> CheckContinuation(const ChatInput& input) {
  if (!input.fields.continue_final_message) return std::nullopt;
  const base::Json& last = input.messages.back();
  if (last["role"] == "assistant" && !last.contains("tool_calls") &&
      last["content"].get_ref<const std::string&>().find_first_not_of(" \n\r\t") !=
          std::string::npos) {
    return std::nullopt;
  }
  return InvalidField("continue_final_message", "invalid_value",
                      "'continue_final_message' needs a last message that is an assistant's, with "
                      "text and without tool_calls.");
}

ApiResult<base::Json> ReadMessages(const base::Json& messages, std::size_t max_messages) {
  if (!messages.is_array()) return std::unexpected(WrongType("messages", "an array", messages));
  if (messages.empty()) {
    return std::unexpected(
        InvalidField("messages", "empty_array",
                     "Invalid 'messages': empty array. Expected an array with minimum length 1."));
  }
  if (messages.size() > max_messages) {
    return std::unexpected(InvalidField(
        "messages", "array_above_max_length",
        fmt::format("Invalid 'messages': array too long. Expected at most {} messages, but got {}.",
                    max_messages, messages.size())));
  }
  base::Json read = base::Json::array();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto message = ReadMessage(messages[i], fmt::format("messages[{}]", i));
    if (!message) return std::unexpected(std::move(message.error()));
    read.push_back(std::move(*message));
  }
  return read;
}

}  // namespace switchyard::protocol
