#include "protocol/tool_format.h"

#include <algorithm>

#include "protocol/tool_formats/tool_formats.h"

namespace switchyard::protocol {

const ToolFormat* RecogniseToolFormat(std::string_view chat_template) {
  // Those with marks that no other has come first.
  for (const ToolFormat* format : {&MistralFormat(), &DeepSeekFormat(), &KimiFormat(),
                                   &QwenCoderFormat(), &LlamaJsonFormat(), &HermesFormat()}) {
    if (format->recognises(chat_template)) return format;
  }
  return nullptr;
}

const ToolFormat& GenericToolFormat() { return HermesFormat(); }

std::string SpellCall(const ToolFormat& format, std::string_view name, std::string_view arguments) {
  std::string text;
  for (const std::string_view part :
       {format.spelling.before_name, name, format.spelling.before_arguments, arguments,
        format.spelling.after_arguments}) {
    text += part;
  }
  return text;
}

std::string ToolInstructions(const ToolFormat& format, std::span<const Tool> tools) {
  std::string text =
      "# Tools\n\nYou can call functions. Their signatures stand between <tools> and </tools>, one "
      "a "
      "line:\n<tools>\n";
  for (const Tool& tool : tools) {
    text += base::WriteJson(tool.definition) + "\n";
  }
  text +=
      "</tools>\n\nTo call a function, answer exactly so, with its name and its arguments as a "
      "JSON object that follows its parameters:\n";
  text += format.spelling.before_calls;
  text += SpellCall(format, "NAME", "ARGUMENTS");
  text += format.spelling.after_calls;
  return text;
}

const Tool* FindTool(std::span<const Tool> tools, std::string_view name) {
  const auto found = std::ranges::find(tools, name, &Tool::name);
  return found == tools.end() ? nullptr : &*found;
}

}  // namespace switchyard::protocol
