#include "protocol/json_call.h"
#include "protocol/tool_formats/tool_formats.h"

namespace switchyard::protocol {

const ToolFormat& HermesFormat() {
  static const ToolFormat format = {
      .name = "hermes",
      .openers = {"<tool_call>"},
      .closers = {"</tool_call>"},
      .spelling = {.before_name = "<tool_call>\n{\"name\": \"",
                   .before_arguments = "\", \"arguments\": ",
                   .after_arguments = "}\n</tool_call>",
                   .between_calls = "\n"},
      .recognises =
          [](std::string_view text) {
            // Others write <tool_call> around something else than JSON, or mean <tool_calls>.
            return text.contains("<tool_call>") && text.contains("arguments") &&
                   !text.contains("<arg_key>") && !text.contains("<tool_calls>");
          },
      .reader = [](std::string_view, std::span<const Tool>) -> std::unique_ptr<CallReader> {
        return std::make_unique<JsonCall>();
      }};
  return format;
}

}  // namespace switchyard::protocol
