// Any text as a model's answer, in every family's form: taken apart in pieces it gives what it
// gives as a whole, and calls that are whole have an object as arguments.
#include <cstdint>
#include <cstdlib>

#include "protocol/choice_writer.h"
#include "protocol/tool_formats/tool_formats.h"

namespace {

using namespace switchyard::protocol;

std::shared_ptr<const std::vector<Tool>> Tools() {
  const auto tools = std::make_shared<std::vector<Tool>>();
  tools->push_back(
      {.name = "f",
       .definition = {{"type", "function"},
                      {"function",
                       {{"name", "f"},
                        {"parameters",
                         {{"properties",
                           {{"s", {{"type", "string"}}}, {"i", {{"type", "integer"}}}}}}}}}}});
  return tools;
}

Choice Collect(const ChoiceForm& form, std::string_view text, std::size_t piece) {
  ChoiceWriter writer(form, [] { return std::uint64_t{0}; });
  Choice whole;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    writer.Collect(text.substr(at, piece), whole);
  }
  writer.EndCollect(false, whole);
  return whole;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static const auto tools = Tools();
  const ToolFormat* const formats[] = {&HermesFormat(),  &QwenCoderFormat(), &LlamaJsonFormat(),
                                       &MistralFormat(), &DeepSeekFormat(),  &KimiFormat()};
  ChoiceForm form;
  form.answer.format = formats[data[0] % std::size(formats)];
  form.answer.tools = tools;
  if ((data[0] & 0x80U) != 0) form.answer.reasoning = {"<think>", "</think>"};
  form.answer.begins_in_reasoning = (data[0] & 0x40U) != 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Choice whole = Collect(form, text, size);
  const Choice pieces = Collect(form, text, 1U + data[1] % 16U);
  if (whole.text != pieces.text || whole.reasoning != pieces.reasoning) std::abort();
  if (whole.calls.size() != pieces.calls.size()) std::abort();
  for (std::size_t i = 0; i < whole.calls.size(); ++i) {
    if (whole.calls[i].name.empty() || whole.calls[i].name != pieces.calls[i].name) std::abort();
    if (whole.calls[i].arguments != pieces.calls[i].arguments) std::abort();
    if (whole.calls[i].arguments.front() != '{' || whole.calls[i].arguments.back() != '}') {
      // Arguments that came in a string may have blanks around them.
      if (whole.calls[i].arguments.find('{') == std::string::npos) std::abort();
    }
  }
  return 0;
}
