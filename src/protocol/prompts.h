// What requests give a model to read: one string, token ids, or lists of either. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/field_reader.h"

namespace switchyard::protocol {

// One string, or token ids.
using Prompt = std::variant<std::string, std::vector<std::int32_t>>;

// Those of a required field, `max_count` at most; a fault is the reader's.
std::vector<Prompt> ReadPrompts(FieldReader& reader, std::string_view name, std::size_t max_count,
                                std::size_t max_tokens);

// vLLM's truncate_prompt_tokens: only the last so many tokens of each prompt; -1: as many as fit.
std::optional<std::int64_t> ReadTruncation(FieldReader& reader);

}  // namespace switchyard::protocol
