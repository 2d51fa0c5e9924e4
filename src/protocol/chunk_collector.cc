#include "protocol/chunk_collector.h"

namespace switchyard::protocol {
namespace {

using base::Json;

std::string TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json ValueOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() ? *found : Json(nullptr);
}

std::int64_t IndexOf(const Json& object) {
  const auto found = object.find("index");
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

// What stood there and is no list gives way to one.
void Append(Json& list, const Json& more) {
  if (!more.is_array()) return;
  if (!list.is_array()) list = Json::array();
  for (const Json& one : more) list.push_back(one);
}

// Lists are joined, of a chat {"content": […]}, of a completion several of one length.
void AddLogprobs(Json& all, const Json& more) {
  if (!more.is_object()) return;
  if (all.is_null()) {
    all = more;
    return;
  }
  for (const auto& [key, value] : more.items()) {
    if (value.is_array()) Append(all[key], value);
  }
}

void AddCall(const Json& part, std::map<std::int64_t, Json>& calls) {
  Json& call = calls[IndexOf(part)];
  if (call.is_null()) {
    call = {{"id", ""}, {"type", "function"}, {"function", {{"name", ""}, {"arguments", ""}}}};
  }
  if (part.contains("id") && part["id"].is_string()) call["id"] = part["id"];
  const Json function = ValueOf(part, "function");
  if (!function.is_object()) return;
  if (const std::string name = TextOf(function, "name"); !name.empty()) {
    call["function"]["name"] = name;
  }
  auto& arguments = call["function"]["arguments"].get_ref<std::string&>();
  arguments += TextOf(function, "arguments");
}

}  // namespace

void ChunkCollector::AddDelta(const Json& delta, Collected& collected) {
  if (!delta.is_object()) return;
  collected.text += TextOf(delta, "content");
  collected.reasoning += TextOf(delta, "reasoning_content");
  const Json calls = ValueOf(delta, "tool_calls");
  if (!calls.is_array()) return;
  for (const Json& part : calls) {
    if (part.is_object()) AddCall(part, collected.calls);
  }
}

void ChunkCollector::AddChoice(const Json& choice) {
  Collected& collected = choices_[IndexOf(choice)];
  if (endpoint_ == Endpoint::kChat) {
    AddDelta(ValueOf(choice, "delta"), collected);
  } else {
    collected.text += TextOf(choice, "text");
  }
  AddLogprobs(collected.logprobs, ValueOf(choice, "logprobs"));
  Append(collected.token_ids, ValueOf(choice, "token_ids"));
  if (Json ids = ValueOf(choice, "prompt_token_ids"); ids.is_array()) {
    collected.prompt_token_ids = std::move(ids);
  }
  if (Json finish = ValueOf(choice, "finish_reason"); finish.is_string()) {
    collected.finish = std::move(finish);
  }
}

base::Status ChunkCollector::Add(std::string_view chunk) {
  SWITCHYARD_TRY(const Json json, base::ParseJson(chunk, "a chunk"));
  const Json choices = json.is_object() ? ValueOf(json, "choices") : Json();
  if (!choices.is_array()) {
    return base::Fail(base::ErrorCode::kInvalidArgument, "a chunk has no list of choices");
  }
  if (id_.is_null()) {
    id_ = ValueOf(json, "id");
    created_ = ValueOf(json, "created");
    model_ = ValueOf(json, "model");
  }
  if (Json ids = ValueOf(json, "prompt_token_ids"); ids.is_array()) {
    prompt_token_ids_ = std::move(ids);
  }
  if (Json extension = ValueOf(json, "switchyard"); extension.is_object()) {
    extension_ = std::move(extension);
  }
  for (const Json& choice : choices) {
    if (choice.is_object()) AddChoice(choice);
  }
  return {};
}

Json ChunkCollector::Message(const Collected& collected) const {
  Json message = {{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
  if (!collected.text.empty() || (collected.calls.empty() && collected.reasoning.empty())) {
    message["content"] = collected.text;
  }
  if (!collected.reasoning.empty()) message["reasoning_content"] = collected.reasoning;
  for (const auto& [index, call] : collected.calls) message["tool_calls"].push_back(call);
  return message;
}

std::string ChunkCollector::Whole(std::string_view usage) const {
  const bool chat = endpoint_ == Endpoint::kChat;
  Json answer = {{"id", id_},
                 {"object", chat ? "chat.completion" : "text_completion"},
                 {"created", created_},
                 {"model", model_},
                 {"choices", Json::array()}};
  for (const auto& [index, collected] : choices_) {
    Json choice = {{"index", index}};
    if (chat) {
      choice["message"] = Message(collected);
    } else {
      choice["text"] = collected.text;
    }
    choice["logprobs"] = collected.logprobs;
    choice["finish_reason"] = collected.finish;
    if (!chat && !collected.prompt_token_ids.is_null()) {
      choice["prompt_token_ids"] = collected.prompt_token_ids;
    }
    if (!collected.token_ids.is_null()) choice["token_ids"] = collected.token_ids;
    answer["choices"].push_back(std::move(choice));
  }
  if (!prompt_token_ids_.is_null()) answer["prompt_token_ids"] = prompt_token_ids_;
  auto counted = base::ParseJson(usage, "usage");
  answer["usage"] = counted ? std::move(*counted) : Json(nullptr);
  if (!extension_.is_null()) answer["switchyard"] = extension_;
  return base::WriteJson(answer);
}

}  // namespace switchyard::protocol
