#include "protocol/completion_response.h"

#include "base/json.h"
#include "protocol/member_fields.h"

namespace switchyard::protocol {
namespace {

using base::Json;

std::string Event(const Json& json) { return "data: " + base::WriteJson(json) + "\n\n"; }

Json FinishReason(std::optional<Finish> finish) {
  return finish ? Json(FinishWord(*finish)) : Json(nullptr);
}

Json UsageJson(const Usage& usage) {
  Json json = {{"prompt_tokens", usage.prompt_tokens},
               {"completion_tokens", usage.completion_tokens},
               {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
               {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
  if (usage.resumed_tokens) json["switchyard"] = {{"resumed_tokens", *usage.resumed_tokens}};
  return json;
}

Json Bytes(std::string_view text) {
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

Json ChatToken(const LikelyToken& token) {
  return {{"token", token.bytes}, {"logprob", token.logprob}, {"bytes", Bytes(token.bytes)}};
}

Json ChatLogprobs(const Choice& choice) {
  if (!choice.logprobs) return nullptr;
  Json content = Json::array();
  for (const TokenLogprobs& token : *choice.logprobs) {
    Json entry = ChatToken(token.token);
    Json& best = entry["top_logprobs"] = Json::array();
    for (const LikelyToken& likely : token.best) best.push_back(ChatToken(likely));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

Json TextLogprobs(const Choice& choice) {
  if (!choice.logprobs) return nullptr;
  Json tokens = Json::array();
  Json logprobs = Json::array();
  Json best = Json::array();
  Json offsets = Json::array();
  std::int64_t offset = choice.text_offset;
  for (const TokenLogprobs& token : *choice.logprobs) {
    tokens.push_back(token.token.bytes);
    logprobs.push_back(token.token.logprob);
    Json likely = Json::object();
    for (const LikelyToken& other : token.best) likely[other.bytes] = other.logprob;
    likely[token.token.bytes] = token.token.logprob;  // OpenAI's may be one more for it
    best.push_back(std::move(likely));
    offsets.push_back(offset);
    offset += CharacterCount(token.token.bytes);
  }
  return {{"tokens", std::move(tokens)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(best)},
          {"text_offset", std::move(offsets)}};
}

Json Envelope(const AnswerHead& head, std::string_view object) {
  return {{"id", head.id},
          {"object", object},
          {"created", head.created},
          {"model", head.model},
          {"choices", Json::array()}};
}

Json Chunk(const AnswerHead& head) {
  Json chunk = Envelope(
      head, head.endpoint == Endpoint::kChat ? "chat.completion.chunk" : "text_completion");
  if (head.usage_follows) chunk["usage"] = nullptr;
  return chunk;
}

Json TextChoice(const Choice& choice) {
  return {{"index", choice.index},
          {"text", choice.text},
          {"logprobs", TextLogprobs(choice)},
          {"finish_reason", FinishReason(choice.finish)}};
}

// Content is null where there is only something else.
Json Message(const Choice& choice) {
  Json message = {{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
  if (!choice.text.empty() || (choice.calls.empty() && choice.reasoning.empty())) {
    message["content"] = choice.text;
  }
  if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
  for (const ToolCall& call : choice.calls) {
    message["tool_calls"].push_back(
        {{"id", call.id},
         {"type", "function"},
         {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return message;
}

Json Delta(const Choice& part) {
  Json delta = Json::object();
  if (!part.text.empty()) delta["content"] = part.text;
  if (!part.reasoning.empty()) delta["reasoning_content"] = part.reasoning;
  for (const ToolCall& call : part.calls) {
    Json entry = {{"index", call.index}};
    if (!call.id.empty()) {
      entry["id"] = call.id;
      entry["type"] = "function";
      entry["function"]["name"] = call.name;
    }
    entry["function"]["arguments"] = call.arguments;
    delta["tool_calls"].push_back(std::move(entry));
  }
  return delta;
}

// The token ids of a choice where vLLM tells them: the prompt's beside a chat's choices, and within
// a completion's, which may have several prompts.
void AddTokenIds(Json& answer, Endpoint endpoint, const Choice& choice) {
  Json& told = answer["choices"].back();
  if (choice.prompt_token_ids) {
    (endpoint == Endpoint::kChat ? answer : told)["prompt_token_ids"] = *choice.prompt_token_ids;
  }
  if (choice.token_ids) told["token_ids"] = *choice.token_ids;
}

void AddSeed(Json& answer, const AnswerHead& head) {
  if (!head.seed) return;
  answer["switchyard"] = {{"version", kMemberProtocolVersion}, {"seed", *head.seed}};
}

Json ModelJson(const ListedModel& model) {
  Json json = {{"id", model.id},
               {"object", "model"},
               {"created", model.created},
               {"owned_by", "switchyard"},
               {"root", model.id},
               {"parent", nullptr},
               {"max_model_len", model.max_model_len}};
  if (!model.switchyard.is_null()) json["switchyard"] = model.switchyard;
  return json;
}

}  // namespace

std::string_view FinishWord(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kToolCalls:
      return "tool_calls";
  }
  return "";
}

std::int64_t CharacterCount(std::string_view bytes) {
  std::int64_t count = 0;
  for (const char c : bytes) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return count;
}

std::int64_t CharacterCount(std::span<const TokenLogprobs> tokens) {
  std::int64_t count = 0;
  for (const TokenLogprobs& token : tokens) count += CharacterCount(token.token.bytes);
  return count;
}

std::string WholeAnswer(const AnswerHead& head, std::span<const Choice> choices,
                        const Usage& usage) {
  const bool chat = head.endpoint == Endpoint::kChat;
  Json answer = Envelope(head, chat ? "chat.completion" : "text_completion");
  for (const Choice& choice : choices) {
    if (!chat) {
      answer["choices"].push_back(TextChoice(choice));
    } else {
      answer["choices"].push_back({{"index", choice.index},
                                   {"message", Message(choice)},
                                   {"logprobs", ChatLogprobs(choice)},
                                   {"finish_reason", FinishReason(choice.finish)}});
    }
    AddTokenIds(answer, head.endpoint, choice);
  }
  answer["usage"] = UsageJson(usage);
  AddSeed(answer, head);
  return base::WriteJson(answer);
}

std::string OpeningEvent(const AnswerHead& head, const Choice& opening) {
  const bool chat = head.endpoint == Endpoint::kChat;
  if (!chat && !opening.prompt_token_ids && !head.seed) return {};
  Json chunk = Chunk(head);
  if (chat) {
    chunk["choices"].push_back({{"index", opening.index},
                                {"delta", {{"role", "assistant"}, {"content", ""}}},
                                {"logprobs", nullptr},
                                {"finish_reason", nullptr}});
  } else {
    chunk["choices"].push_back(TextChoice({.index = opening.index}));
  }
  AddTokenIds(chunk, head.endpoint, opening);
  AddSeed(chunk, head);
  return Event(chunk);
}

std::string PartEvent(const AnswerHead& head, const Choice& part) {
  Json chunk = Chunk(head);
  if (head.endpoint == Endpoint::kText) {
    chunk["choices"].push_back(TextChoice(part));
    AddTokenIds(chunk, head.endpoint, part);
    return Event(chunk);
  }
  chunk["choices"].push_back({{"index", part.index},
                              {"delta", Delta(part)},
                              {"logprobs", ChatLogprobs(part)},
                              {"finish_reason", FinishReason(part.finish)}});
  AddTokenIds(chunk, head.endpoint, part);
  return Event(chunk);
}

std::string UsageEvent(const AnswerHead& head, const Usage& usage) {
  Json chunk = Chunk(head);
  chunk["usage"] = UsageJson(usage);
  return Event(chunk);
}

std::string ErrorEvent(const ApiError& error) { return "data: " + ErrorBody(error) + "\n\n"; }

std::string ModelList(std::span<const ListedModel> models) {
  Json list = {{"object", "list"}, {"data", Json::array()}};
  for (const ListedModel& model : models) list["data"].push_back(ModelJson(model));
  return base::WriteJson(list);
}

std::string ModelEntry(const ListedModel& model) { return base::WriteJson(ModelJson(model)); }

}  // namespace switchyard::protocol
