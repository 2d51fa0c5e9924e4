#include <optional>

#include "protocol/json_call.h"
#include "protocol/tool_formats/tool_formats.h"

namespace switchyard::protocol {
namespace {

constexpr std::size_t kCallIdBytes = 64;

// What follows [TOOL_CALLS]: a list of objects, or NAME, perhaps [CALL_ID]ID, perhaps [ARGS], and
// the arguments.
class MistralReader final : public CallReader {
 public:
  Step Push(char byte, CallSink& sink) override {
    switch (state_) {
      case State::kStart:
        if (IsJsonBlank(byte)) return Step::kMore;
        if (byte == '[') return Go(State::kItem);
        return TakeHead(byte, sink);
      case State::kItem:
        if (!call_ && IsJsonBlank(byte)) return Step::kMore;
        if (!call_) call_.emplace();
        return TakeItem(byte, sink);
      case State::kAfterItem:
        if (IsJsonBlank(byte)) return Step::kMore;
        if (byte == ',') return Go(State::kItem);
        return byte == ']' ? Step::kDone : Step::kBroken;
      case State::kHead:
        return TakeHead(byte, sink);
      case State::kArguments:
        return arguments_.Push(byte, sink);
    }
    return Step::kBroken;
  }

 private:
  enum class State : std::uint8_t { kStart, kItem, kAfterItem, kHead, kArguments };

  Step Go(State state) {
    state_ = state;
    return Step::kMore;
  }

  Step TakeItem(char byte, CallSink& sink) {
    const Step step = call_->Push(byte, sink);
    if (step != Step::kDone) return step;
    call_.reset();
    return Go(State::kAfterItem);
  }

  // Up to the arguments' brace or to [ARGS].
  Step TakeHead(char byte, CallSink& sink) {
    state_ = State::kHead;
    constexpr std::string_view kArgs = "[ARGS]";
    if (byte != '{') {
      head_ += byte;
      if (head_.size() > kFunctionNameBytes + kCallIdBytes) return Step::kBroken;
      if (!head_.ends_with(kArgs)) return Step::kMore;
      head_.resize(head_.size() - kArgs.size());
    }
    constexpr std::string_view kCallId = "[CALL_ID]";
    const std::size_t mark = head_.find(kCallId);
    std::string id = mark == std::string::npos ? "" : head_.substr(mark + kCallId.size());
    std::string name = head_.substr(0, mark);
    while (!name.empty() && IsJsonBlank(name.back())) name.pop_back();
    if (name.empty() || name.size() > kFunctionNameBytes ||
        name.find_first_of("[]<>\n\"") != std::string::npos) {
      return Step::kBroken;
    }
    sink.Begin(std::move(name), std::move(id));
    state_ = State::kArguments;
    return byte == '{' ? arguments_.Push(byte, sink) : Step::kMore;
  }

  State state_ = State::kStart;
  std::string head_;
  std::optional<JsonCall> call_;
  ArgumentsObject arguments_;
};

}  // namespace

const ToolFormat& MistralFormat() {
  // The list is what the older of its models write, and all of them read.
  static const ToolFormat format = {
      .name = "mistral",
      .openers = {"[TOOL_CALLS]"},
      .inner = {"[ARGS]", "[CALL_ID]"},
      .has_short_ids = true,
      .spelling = {.before_calls = "[TOOL_CALLS][",
                   .before_name = "{\"name\": \"",
                   .before_arguments = "\", \"arguments\": ",
                   .after_arguments = "}",
                   .between_calls = ", ",
                   .after_calls = "]"},
      .recognises = [](std::string_view text) { return text.contains("[TOOL_CALLS]"); },
      .reader = [](std::string_view, std::span<const Tool>) -> std::unique_ptr<CallReader> {
        return std::make_unique<MistralReader>();
      }};
  return format;
}

}  // namespace switchyard::protocol
