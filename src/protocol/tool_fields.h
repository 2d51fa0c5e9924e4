// The fields of a chat request that are about tools: tools, tool_choice, parallel_tool_calls.
// Values; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "protocol/field_reader.h"
#include "protocol/tool_format.h"

namespace switchyard::protocol {

enum class ToolChoice : std::uint8_t {
  kNone,      // no calls; the model is not told of the tools
  kAuto,      // as the model likes
  kRequired,  // one call at least, of the tools that are left
};

struct ToolFields {
  // Those that may be called: of a named function or of "allowed_tools", these alone. Never null.
  std::shared_ptr<const std::vector<Tool>> tools = std::make_shared<std::vector<Tool>>();
  ToolChoice choice = ToolChoice::kNone;
  bool is_named = false;  // kRequired of one function: exactly one call
  bool parallel = true;   // else one call at most

  bool may_call() const { return choice != ToolChoice::kNone; }
  base::Json Definitions() const;  // as chat templates want them; null if there are none
};

ToolFields ReadTools(FieldReader& reader);

// The tool_calls of an assistant's message in a request, checked; arguments stay strings.
ApiResult<base::Json> ReadToolCalls(const base::Json& calls, const std::string& param);

}  // namespace switchyard::protocol
