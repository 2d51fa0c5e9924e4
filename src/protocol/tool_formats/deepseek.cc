#include "protocol/json_call.h"
#include "protocol/tool_formats/tool_formats.h"

namespace switchyard::protocol {
namespace {

constexpr std::string_view kSeparator = "<｜tool▁sep｜>";
constexpr std::string_view kFenceText = "```json\n";

// What follows <｜tool▁call▁begin｜>: NAME, the separator and the arguments; or, before V3.1,
// "function", the separator, NAME, a line's end and the arguments in a code fence.
class DeepSeekReader final : public CallReader {
 public:
  Step Push(char byte, CallSink& sink) override {
    switch (state_) {
      case State::kHead:
        return TakeHead(byte);
      case State::kTyped:
        // A function that is called "function", as V3.1 would write it.
        if (byte == '{') return Begin(head_, byte, sink);
        [[fallthrough]];
      case State::kName:
        return TakeName(byte, sink);
      case State::kFence:
        if (byte != kFenceText[fence_]) return Step::kBroken;
        if (++fence_ == kFenceText.size()) state_ = State::kArguments;
        return Step::kMore;
      case State::kUntyped:
        return Begin(head_, byte, sink);
      case State::kArguments:
        return arguments_.Push(byte, sink);
    }
    return Step::kBroken;
  }

 private:
  enum class State : std::uint8_t { kHead, kTyped, kUntyped, kName, kFence, kArguments };

  Step TakeHead(char byte) {
    head_ += byte;
    if (head_.size() > kFunctionNameBytes + kSeparator.size()) return Step::kBroken;
    if (!head_.ends_with(kSeparator)) return Step::kMore;
    head_.resize(head_.size() - kSeparator.size());
    if (head_.empty() || head_.find_first_of("\n{\"") != std::string::npos) return Step::kBroken;
    state_ = head_ == "function" ? State::kTyped : State::kUntyped;
    return Step::kMore;
  }

  Step TakeName(char byte, CallSink& sink) {
    state_ = State::kName;
    if (byte != '\n') {
      name_ += byte;
      return name_.size() > kFunctionNameBytes ? Step::kBroken : Step::kMore;
    }
    if (name_.empty()) return Step::kBroken;
    sink.Begin(name_, "");
    state_ = State::kFence;
    return Step::kMore;
  }

  Step Begin(const std::string& name, char byte, CallSink& sink) {
    sink.Begin(name, "");
    state_ = State::kArguments;
    return arguments_.Push(byte, sink);
  }

  State state_ = State::kHead;
  std::string head_;
  std::string name_;
  std::size_t fence_ = 0;
  ArgumentsObject arguments_;
};

}  // namespace

const ToolFormat& DeepSeekFormat() {
  static const ToolFormat format = {
      .name = "deepseek",
      .preludes = {"<｜tool▁calls▁begin｜>"},
      .openers = {"<｜tool▁call▁begin｜>"},
      .closers = {"```", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"},
      .inner = {kSeparator},
      .spelling = {.before_calls = "<｜tool▁calls▁begin｜>",
                   .before_name = "<｜tool▁call▁begin｜>",
                   .before_arguments = "<｜tool▁sep｜>",
                   .after_arguments = "<｜tool▁call▁end｜>",
                   .after_calls = "<｜tool▁calls▁end｜>"},
      .recognises = [](std::string_view text) { return text.contains("<｜tool▁call▁begin｜>"); },
      .reader = [](std::string_view, std::span<const Tool>) -> std::unique_ptr<CallReader> {
        return std::make_unique<DeepSeekReader>();
      }};
  return format;
}

}  // namespace switchyard::protocol
