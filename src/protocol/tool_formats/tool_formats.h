// The families of tool calls that are known; tool_format.h says what each has.
#pragma once

#include "protocol/tool_format.h"

namespace switchyard::protocol {

// <tool_call>{"name":…,"arguments":{…}}</tool_call>: Hermes, Qwen 2.5 and 3, and many others.
const ToolFormat& HermesFormat();
// <tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>
const ToolFormat& QwenCoderFormat();
// {"name":…,"parameters":{…}}, bare or behind <|python_tag|>: Llama 3.1 to 3.3.
const ToolFormat& LlamaJsonFormat();
// [TOOL_CALLS][{"name":…,"arguments":{…}}] and, since 2025, [TOOL_CALLS]NAME[ARGS]{…}
const ToolFormat& MistralFormat();
// <｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜>; before V3.1 with a type and a code
// fence.
const ToolFormat& DeepSeekFormat();
// <|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>{…}<|tool_call_end|>: Kimi K2.
const ToolFormat& KimiFormat();

}  // namespace switchyard::protocol
