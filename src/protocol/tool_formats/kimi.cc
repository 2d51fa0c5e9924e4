#include "protocol/json_call.h"
#include "protocol/tool_formats/tool_formats.h"

namespace switchyard::protocol {
namespace {

constexpr std::string_view kArgumentMark = "<|tool_call_argument_begin|>";

// What follows <|tool_call_begin|>: functions.NAME:INDEX, which is the call's id as well, the mark
// and the arguments.
class KimiReader final : public CallReader {
 public:
  Step Push(char byte, CallSink& sink) override {
    if (!has_head_) return TakeHead(byte, sink);
    return arguments_.Push(byte, sink);
  }

 private:
  Step TakeHead(char byte, CallSink& sink) {
    head_ += byte;
    if (head_.size() > kFunctionNameBytes + kArgumentMark.size()) return Step::kBroken;
    if (!head_.ends_with(kArgumentMark)) return Step::kMore;
    head_.resize(head_.size() - kArgumentMark.size());
    while (!head_.empty() && IsJsonBlank(head_.back())) head_.pop_back();
    const std::size_t blanks = head_.find_first_not_of(" \n\r\t");
    head_.erase(0, std::min(blanks, head_.size()));
    std::string name = head_.substr(0, head_.rfind(':'));
    constexpr std::string_view kNamespace = "functions.";
    if (name.starts_with(kNamespace)) name.erase(0, kNamespace.size());
    if (name.empty()) return Step::kBroken;
    has_head_ = true;
    sink.Begin(std::move(name), head_);
    return Step::kMore;
  }

  std::string head_;
  bool has_head_ = false;
  ArgumentsObject arguments_;
};

}  // namespace

const ToolFormat& KimiFormat() {
  static const ToolFormat format = {
      .name = "kimi",
      .preludes = {"<|tool_calls_section_begin|>"},
      .openers = {"<|tool_call_begin|>"},
      .closers = {"<|tool_call_end|>", "<|tool_calls_section_end|>"},
      .inner = {kArgumentMark},
      .spelling = {.before_calls = "<|tool_calls_section_begin|>",
                   .before_name = "<|tool_call_begin|>functions.",
                   .before_arguments = ":0<|tool_call_argument_begin|>",
                   .after_arguments = "<|tool_call_end|>",
                   .after_calls = "<|tool_calls_section_end|>"},
      .recognises =
          [](std::string_view text) {
            return text.contains("<|tool_call_begin|>") && text.contains(kArgumentMark);
          },
      .reader = [](std::string_view, std::span<const Tool>) -> std::unique_ptr<CallReader> {
        return std::make_unique<KimiReader>();
      }};
  return format;
}

}  // namespace switchyard::protocol
