#include "protocol/answer_chunk.h"

#include <utility>

#include "base/json.h"
#include "protocol/json_items.h"

namespace switchyard::protocol {
namespace {

void ReadDelta(std::string_view delta, ChunkChoice& choice) {
  choice.delta = delta;
  for (JsonItems items(delta); items.Next();) {
    const bool is_empty = IsJsonFalsy(items.value());
    if (items.key() == "role") {
      choice.has_role = true;
    } else if (items.key() == "content") {
      choice.content = items.value();
    } else if (items.key() == "tool_calls" || items.key() == "function_call") {
      choice.has_tool_calls = choice.has_tool_calls || !is_empty;
    } else if (!is_empty) {
      choice.has_other = true;
    }
  }
}

ChunkChoice ReadChoice(std::string_view json) {
  ChunkChoice choice;
  for (JsonItems items(json); items.Next();) {
    const std::string_view key = items.key();
    const std::string_view value = items.value();
    const bool is_null = value == "null";
    if (key == "index") {
      choice.index = JsonInteger(value).value_or(-1);
    } else if (key == "delta") {
      ReadDelta(value, choice);
    } else if (key == "text") {
      choice.text = value;
    } else if (key == "finish_reason" && !is_null) {
      choice.finish_reason = value;
    } else if (key == "token_ids" && !is_null) {
      choice.token_ids = value;
    } else if (key == "prompt_token_ids" && !is_null) {
      choice.prompt_token_ids = value;
    } else if (key == "logprobs" && !is_null) {
      choice.has_logprobs = true;
    }
  }
  return choice;
}

bool IsTokenIds(std::string_view key) { return key == "token_ids" || key == "prompt_token_ids"; }

void AppendChoices(std::string_view choices, std::string& out) {
  out += "\"choices\":[";
  bool is_first = true;
  for (JsonItems items(choices); items.Next();) {
    if (!is_first) out += ',';
    is_first = false;
    out += '{';
    AppendMembers(items.value(), IsTokenIds, out);
    out += '}';
  }
  out += ']';
}

}  // namespace

bool ChunkChoice::IsBare() const {
  const auto is_empty = [](std::string_view json) {
    return json.empty() || json == "null" || json == "\"\"";
  };
  return is_empty(text) && is_empty(content) && finish_reason.empty() && !has_role &&
         !has_tool_calls && !has_other && !has_logprobs;
}

std::optional<AnswerChunk> ReadChunk(std::string_view data) {
  AnswerChunk chunk;
  JsonItems items(data);
  if (!items.is_object()) return std::nullopt;
  bool has_choices = false;
  while (items.Next()) {
    const std::string_view key = items.key();
    const std::string_view value = items.value();
    if (key == "choices") {
      if (std::exchange(has_choices, true)) return std::nullopt;  // one list, or none
      JsonItems choices(value);
      while (choices.Next()) {
        if (chunk.choices.size() == kMostChoices) return std::nullopt;
        chunk.choices.push_back(ReadChoice(choices.value()));
      }
      if (!choices.is_whole() && value != "null") return std::nullopt;
    } else if (key == "id") {
      chunk.id = value;
    } else if (key == "created") {
      chunk.created = value;
    } else if (key == "model") {
      chunk.model = value;
    } else if (key == "usage" && value != "null") {
      chunk.usage = value;
    } else if (key == "error" && !IsJsonFalsy(value)) {
      chunk.error = value;
    } else if (key == "prompt_token_ids" && value != "null") {
      chunk.prompt_token_ids = value;
    } else if (key == "switchyard") {
      chunk.has_extension = true;
    }
  }
  if (!items.is_whole()) return std::nullopt;
  return chunk;
}

std::optional<std::string> AsContinuation(std::string_view data, Endpoint endpoint) {
  auto parsed = base::ParseJson(data, "a chunk");
  if (!parsed || !parsed->is_object()) return std::nullopt;
  base::Json& chunk = *parsed;
  if (!chunk.value("error", base::Json()).is_null()) return std::string(data);
  if (!chunk.contains("choices") || !chunk["choices"].is_array()) return std::nullopt;
  chunk["object"] = endpoint == Endpoint::kChat ? "chat.completion.chunk" : "text_completion";
  bool is_empty = !chunk.contains("usage") || chunk["usage"].is_null();
  for (base::Json& choice : chunk["choices"]) {
    if (!choice.is_object()) return std::nullopt;
    choice.erase("prompt_token_ids");
    const bool has_text = choice.contains("text") && choice["text"] != "";
    const bool has_more = !choice.value("finish_reason", base::Json()).is_null() ||
                          !choice.value("token_ids", base::Json::array()).empty();
    is_empty = is_empty && !has_text && !has_more;
    if (endpoint != Endpoint::kChat) continue;
    choice["delta"] = base::Json::object();
    if (has_text) choice["delta"]["content"] = std::move(choice["text"]);
    choice.erase("text");
  }
  return is_empty ? std::string() : base::WriteJson(chunk);
}

bool ChunkChanges::IsNeeded(const AnswerChunk& chunk) const {
  if (!id.empty() || !created.empty() || !model.empty() || !usage.empty()) return true;
  if (drops_extension && chunk.has_extension) return true;
  if (!drops_token_ids) return false;
  if (!chunk.prompt_token_ids.empty()) return true;
  for (const ChunkChoice& choice : chunk.choices) {
    if (!choice.token_ids.empty() || !choice.prompt_token_ids.empty()) return true;
  }
  return false;
}

void AppendChunk(std::string_view data, const ChunkChanges& changes, std::string& out) {
  out += '{';
  bool is_first = true;
  for (JsonItems items(data); items.Next();) {
    const std::string_view key = items.key();
    if (changes.drops_token_ids && key == "prompt_token_ids") continue;
    if (changes.drops_extension && key == "switchyard") continue;
    if (!is_first) out += ',';
    is_first = false;
    std::string_view instead;
    if (key == "id") instead = changes.id;
    if (key == "created") instead = changes.created;
    if (key == "model") instead = changes.model;
    if (key == "usage" && items.value() != "null") instead = changes.usage;
    if (!instead.empty()) {
      out.append("\"").append(key).append("\":").append(instead);
    } else if (changes.drops_token_ids && key == "choices") {
      AppendChoices(items.value(), out);
    } else {
      out += items.item();
    }
  }
  out += '}';
}

}  // namespace switchyard::protocol
