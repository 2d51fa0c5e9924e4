#include "protocol/json_call.h"
#include "protocol/tool_formats/tool_formats.h"

namespace switchyard::protocol {

const ToolFormat& LlamaJsonFormat() {
  static const ToolFormat format = {
      .name = "llama_json",
      .openers = {"<|python_tag|>"},
      .closers = {";"},
      .takes_bare_object = true,
      .spelling = {.before_name = "{\"name\": \"",
                   .before_arguments = "\", \"parameters\": ",
                   .after_arguments = "}",
                   .between_calls = "; "},
      .recognises =
          [](std::string_view text) {
            return text.contains("{\"name\": function name, \"parameters\": dictionary of");
          },
      // Nothing but its name tells a call from an answer that happens to be JSON.
      .reader = [](std::string_view, std::span<const Tool> tools) -> std::unique_ptr<CallReader> {
        return std::make_unique<JsonCall>(tools);
      }};
  return format;
}

}  // namespace switchyard::protocol
