// Answers of chat completions and completions as OpenAI writes them: whole, or as server-sent
// events. Also the list of models. Pure functions of values; any thread. Bytes that are not UTF-8
// become U+FFFD in text; logprobs carry the bytes as well.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "protocol/api_error.h"
#include "protocol/refused_fields.h"

namespace switchyard::protocol {

// What all parts of one answer share.
struct AnswerHead {
  Endpoint endpoint = Endpoint::kChat;
  std::string id;            // "chatcmpl-…" or "cmpl-…"
  std::int64_t created = 0;  // seconds since 1970
  std::string model;
  bool usage_follows = false;  // include_usage: chunks say "usage":null until the last
  // For those who asked by "switchyard": told once, at the beginning.
  std::optional<std::int64_t> seed = {};
};

struct LikelyToken {
  std::string bytes;
  double logprob = 0;
};

struct TokenLogprobs {
  LikelyToken token;
  std::vector<LikelyToken> best;
};

enum class Finish { kStop, kLength, kToolCalls };

// finish_reason's: "stop", "length" or "tool_calls".
std::string_view FinishWord(Finish finish);

struct Usage {
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  // Of a resumed answer: the tokens that were given before, not counted above.
  std::optional<std::int64_t> resumed_tokens = {};
};

// A call of a tool, or a further piece of its arguments: then without id and name.
struct ToolCall {
  std::int32_t index = 0;
  std::string id = {};
  std::string name = {};
  std::string arguments = {};  // JSON, as the model wrote it
};

struct Choice {
  std::int32_t index = 0;
  std::string text = {};
  std::string reasoning = {};
  std::vector<ToolCall> calls = {};
  // Null: not asked for.
  std::optional<std::vector<TokenLogprobs>> logprobs = {};
  // Characters of the choice's tokens before this part, for text_offset.
  std::int64_t text_offset = 0;
  std::optional<Finish> finish = {};
  // vLLM's return_token_ids. Null: not asked for, or told before.
  std::optional<std::vector<std::int32_t>> prompt_token_ids = {};
  std::optional<std::vector<std::int32_t>> token_ids = {};
};

// The characters of the tokens' bytes: how far text_offset moves on.
std::int64_t CharacterCount(std::span<const TokenLogprobs> tokens);
std::int64_t CharacterCount(std::string_view bytes);

std::string WholeAnswer(const AnswerHead& head, std::span<const Choice> choices,
                        const Usage& usage);

// Server-sent events: "data: …\n\n". A stream of a choice is its opening (for completions empty, if
// there is nothing to tell), parts, and a part with `finish`; then comes the usage, if asked for,
// and kDoneEvent.
std::string OpeningEvent(const AnswerHead& head, const Choice& opening);
std::string PartEvent(const AnswerHead& head, const Choice& part);
std::string UsageEvent(const AnswerHead& head, const Usage& usage);
std::string ErrorEvent(const ApiError& error);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

struct ListedModel {
  std::string id;
  std::int64_t created = 0;
  std::int64_t max_model_len = 0;  // vLLM's: tokens of prompt and answer together
  base::Json switchyard = nullptr;  // what only we tell, an object; null: nothing
};

std::string ModelList(std::span<const ListedModel> models);
std::string ModelEntry(const ListedModel& model);

}  // namespace switchyard::protocol
