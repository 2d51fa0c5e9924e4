// The fields of a request that say which tokens an answer may have, how many answers are made to
// give the best, and what of them is shown. OpenAI's best_of and echo, of completions; the others
// are vLLM's. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/field_reader.h"
#include "protocol/refused_fields.h"

namespace switchyard::protocol {

struct OutputFields {
  std::int32_t best_of = 1;  // answers that are made to each prompt; the n best are given
  bool echo = false;         // the prompt stands before the answer
  std::int64_t min_tokens = 0;
  std::vector<std::string> bad_words;
  std::vector<std::int32_t> allowed_token_ids;  // none: all
  bool include_stop = false;
  bool skip_special_tokens = true;
  std::optional<std::int64_t> truncate_prompt_tokens;  // as ReadTruncation gives it
};

// What else of the request they must agree with.
struct OutputContext {
  Endpoint endpoint;
  std::int32_t n;
  bool stream;
  bool logprobs;
  std::optional<std::int64_t> max_tokens;
};

OutputFields ReadOutputFields(FieldReader& reader, const OutputContext& request);

}  // namespace switchyard::protocol
