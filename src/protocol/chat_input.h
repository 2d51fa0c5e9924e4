// What a chat template is given to write a prompt: the conversation, the tools and the request's
// own wishes; and the fields of a request that say so. Values; any thread.
#pragma once

#include <cstddef>
#include <optional>

#include "base/json.h"
#include "protocol/field_reader.h"
#include "protocol/tool_fields.h"

namespace switchyard::protocol {

struct TemplateFields {
  base::Json variables = base::Json::object();  // chat_template_kwargs, reasoning_effort
  base::Json documents;                         // null or a list
  bool add_generation_prompt = true;
  bool continue_final_message = false;  // the answer goes on where the last message ends
};

struct ChatInput {
  // Role and content, the latter a string; of an assistant's perhaps tool_calls, whose arguments
  // are strings, and reasoning_content; of a tool's tool_call_id.
  base::Json messages;
  ToolFields tools;
  TemplateFields fields;
};

TemplateFields ReadTemplateFields(FieldReader& reader);

// Whether the last message can be continued, where that is asked for.
std::optional<ApiError> CheckContinuation(const ChatInput& input);

// The messages of a request: parts of text joined, "developer" told as "system".
ApiResult<base::Json> ReadMessages(const base::Json& messages, std::size_t max_messages);

}  // namespace switchyard::protocol
