// One chunk of a streamed answer, from whoever sent it: what a gateway must know of it, and the
// chunk with some of it taken out or replaced. The rest keeps its bytes. Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/refused_fields.h"

namespace switchyard::protocol {

// Of one answer, over all its prompts; no request may have more.
inline constexpr std::size_t kMostChoices = 4096;

// Views into the chunk; empty where it has no such thing.
struct ChunkChoice {
  std::int64_t index = 0;
  std::string_view delta;             // of a chat, an object
  std::string_view text;              // of a completion, a JSON string
  std::string_view content;           // in `delta`, a JSON string
  std::string_view token_ids;         // an array
  std::string_view prompt_token_ids;  // an array; of a completion
  std::string_view finish_reason;     // a JSON string; empty for null
  bool has_role = false;
  bool has_tool_calls = false;
  bool has_other = false;  // the delta holds reasoning, or what is unknown here
  bool has_logprobs = false;

  // Without token ids, nobody would miss it.
  bool IsBare() const;
};

struct AnswerChunk {
  std::string_view id;
  std::string_view created = {};
  std::string_view model = {};
  std::string_view usage;  // an object; empty for null
  std::string_view error;  // anything but null, false, ""
  std::string_view prompt_token_ids;  // an array; of a chat
  bool has_extension = false;
  std::vector<ChunkChoice> choices;
};

// None if it is no JSON object.
std::optional<AnswerChunk> ReadChunk(std::string_view data);

// A chunk of /v1/completions by which an answer of `endpoint` goes on whose tokens were its prompt:
// as that endpoint says it, without the prompt. Empty if nothing is in it; errors stay as they are;
// none if it is no chunk.
std::optional<std::string> AsContinuation(std::string_view data, Endpoint endpoint);

// What a client is to see of a chunk. Empty text: as it is.
struct ChunkChanges {
  bool drops_token_ids = false;
  bool drops_extension = false;
  std::string_view id = {};  // JSON, as all of these
  std::string_view created = {};
  std::string_view model = {};
  std::string_view usage = {};

  bool IsNeeded(const AnswerChunk& chunk) const;
};

// Appends the chunk as JSON.
void AppendChunk(std::string_view data, const ChunkChanges& changes, std::string& out);

}  // namespace switchyard::protocol
