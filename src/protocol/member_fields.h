// What a completion request may say beyond OpenAI's fields, for a gateway that keeps answers alive:
// return_token_ids (vLLM's) and "switchyard", which docs/member_protocol.md describes. Values; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/field_reader.h"

namespace switchyard::protocol {

inline constexpr std::int64_t kMemberProtocolVersion = 1;

// Where one choice of an interrupted answer stands.
struct ResumedChoice {
  std::int32_t index = 0;
  std::vector<std::int32_t> token_ids;  // given already; they and their text are not given again
  bool is_finished = false;             // nothing is said of it any more
};

// An answer to go on with. Choices that it does not name begin at their beginning.
struct Resume {
  std::string id;  // of the answer, so that its parts go on alike; empty: a new one
  std::optional<std::int64_t> created;
  // In place of what the request's own prompts or messages become; empty: those.
  std::vector<std::vector<std::int32_t>> prompts;
  std::vector<ResumedChoice> choices;  // by index, each once
};

struct MemberFields {
  bool return_token_ids = false;
  bool has_extension = false;  // "switchyard" was there: answers carry it too
  bool prompt_ids_once = false;  // of a stream, not with each choice
  std::optional<Resume> resume;
};

// `prompts` and `n` are the request's. What is wrong is left in `reader`.
MemberFields ReadMemberFields(FieldReader& reader, std::size_t prompts, std::int32_t n,
                              std::size_t max_prompt_tokens);

}  // namespace switchyard::protocol
