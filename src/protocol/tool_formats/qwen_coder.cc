#include <optional>

#include "base/json.h"
#include "protocol/json_call.h"
#include "protocol/tool_formats/tool_formats.h"

namespace switchyard::protocol {
namespace {

constexpr std::string_view kFunction = "<function=";
constexpr std::string_view kParameter = "<parameter=";
constexpr std::string_view kParameterEnd = "</parameter>";
constexpr std::string_view kFunctionEnd = "</function>";
// Of a value that is no string, and so is known only at its end.
constexpr std::size_t kValueBytes = 1 << 20;

std::string Quoted(std::string_view text) { return base::WriteJson(text); }

// What follows <tool_call>: the function and its parameters as tags, whose values become JSON. A
// string's value is passed on as it comes; all others when they are whole. The same models, forced
// to call, may be made to write Hermes' JSON instead.
class QwenCoderReader final : public CallReader {
 public:
  QwenCoderReader(std::string_view opener, std::span<const Tool> tools) : tools_(tools) {
    if (opener == kFunction) state_ = State::kName;
  }

  Step Push(char byte, CallSink& sink) override {
    if (json_) return json_->Push(byte, sink);
    switch (state_) {
      case State::kStart:
        if (tag_.empty() && IsJsonBlank(byte)) return Step::kMore;
        if (tag_.empty() && byte == '{') return json_.emplace().Push(byte, sink);
        return TakeTag(byte, sink);
      case State::kTag:
        if (tag_.empty() && IsJsonBlank(byte)) return Step::kMore;
        return TakeTag(byte, sink);
      case State::kName:
      case State::kKey:
        return TakeAttribute(byte, sink);
      case State::kValue:
        return TakeValue(byte, sink);
    }
    return Step::kBroken;
  }

 private:
  enum class State : std::uint8_t { kStart, kTag, kName, kKey, kValue };

  Step TakeTag(char byte, CallSink& sink) {
    tag_ += byte;
    const bool at_start = state_ == State::kStart;
    if (at_start ? tag_ == kFunction : tag_ == kParameter) {
      state_ = at_start ? State::kName : State::kKey;
      tag_.clear();
      return Step::kMore;
    }
    if (!at_start && tag_ == kFunctionEnd) {
      sink.Arguments(has_parameters_ ? "}" : "{}");
      sink.End();
      return Step::kDone;
    }
    const bool may_go_on = at_start
                               ? kFunction.starts_with(tag_)
                               : kParameter.starts_with(tag_) || kFunctionEnd.starts_with(tag_);
    return may_go_on ? Step::kMore : Step::kBroken;
  }

  // The function's name or a parameter's, up to '>'.
  Step TakeAttribute(char byte, CallSink& sink) {
    if (byte != '>') {
      attribute_ += byte;
      return byte == '\n' || attribute_.size() > kFunctionNameBytes ? Step::kBroken : Step::kMore;
    }
    if (attribute_.empty()) return Step::kBroken;
    const std::string name = std::exchange(attribute_, {});
    if (state_ == State::kName) {
      tool_ = FindTool(tools_, name);
      sink.Begin(name, "");
      state_ = State::kTag;
      return Step::kMore;
    }
    sink.Arguments((has_parameters_ ? ", " : "{") + Quoted(name) + ": ");
    has_parameters_ = true;
    is_string_ = IsString(name);
    is_first_ = true;
    if (is_string_) sink.Arguments("\"");
    state_ = State::kValue;
    return Step::kMore;
  }

  // A line's end right behind the opening tag and one right before the closing tag are not the
  // value's.
  Step TakeValue(char byte, CallSink& sink) {
    if (std::exchange(is_first_, false) && byte == '\n') return Step::kMore;
    value_ += byte;
    if (value_.ends_with(kParameterEnd)) {
      value_.resize(value_.size() - kParameterEnd.size());
      if (value_.ends_with('\n')) value_.pop_back();
      EndValue(sink);
      state_ = State::kTag;
      tag_.clear();
      return Step::kMore;
    }
    if (!is_string_) return value_.size() > kValueBytes ? Step::kBroken : Step::kMore;
    PassOn(sink);
    return Step::kMore;
  }

  // All of a string that cannot belong to its closing tag, in whole characters.
  void PassOn(CallSink& sink) {
    std::size_t kept = std::min(value_.size(), kParameterEnd.size() + 1);
    for (; kept > 0; --kept) {
      std::string_view tail = std::string_view(value_).substr(value_.size() - kept);
      if (tail.starts_with('\n')) tail.remove_prefix(1);
      if (kParameterEnd.starts_with(tail)) break;
    }
    std::size_t length = value_.size() - kept;
    // Not within a character.
    std::size_t start = length;
    while (start > 0 && (static_cast<unsigned char>(value_[start - 1]) & 0xC0U) == 0x80U) --start;
    if (start > 0 && static_cast<unsigned char>(value_[start - 1]) >= 0xC0U) {
      const auto lead = static_cast<unsigned char>(value_[start - 1]);
      const std::size_t bytes = lead >= 0xF0U ? 4 : lead >= 0xE0U ? 3 : 2;
      if (length - (start - 1) < bytes) length = start - 1;
    }
    if (length == 0) return;
    Escape(std::string_view(value_).substr(0, length), sink);
    value_.erase(0, length);
  }

  static void Escape(std::string_view text, CallSink& sink) {
    const std::string quoted = Quoted(text);
    sink.Arguments(std::string_view(quoted).substr(1, quoted.size() - 2));
  }

  void EndValue(CallSink& sink) {
    const std::string value = std::exchange(value_, {});
    if (is_string_) {
      Escape(value, sink);
      return sink.Arguments("\"");
    }
    const auto json = base::ParseJson(value, "parameter");
    sink.Arguments(json ? base::WriteJson(*json) : Quoted(value));
  }

  // A parameter of which the schema says nothing is a string.
  bool IsString(const std::string& key) const {
    if (tool_ == nullptr) return true;
    const base::Json& schema = tool_->parameters();
    if (!schema.is_object()) return true;
    const auto properties = schema.find("properties");
    if (properties == schema.end() || !properties->is_object()) return true;
    const auto property = properties->find(key);
    if (property == properties->end() || !property->is_object()) return true;
    const auto type = property->find("type");
    if (type == property->end()) {
      return !property->contains("anyOf") && !property->contains("oneOf") &&
             !property->contains("$ref");
    }
    return *type == "string";
  }

  std::span<const Tool> tools_;
  const Tool* tool_ = nullptr;
  std::optional<JsonCall> json_;
  State state_ = State::kStart;
  std::string tag_;
  std::string attribute_;
  std::string value_;
  bool is_string_ = false;
  bool is_first_ = false;
  bool has_parameters_ = false;
};

}  // namespace

const ToolFormat& QwenCoderFormat() {
  static const ToolFormat format = {
      .name = "qwen_coder",
      .openers = {"<tool_call>", kFunction},
      .closers = {"</tool_call>"},
      .spelling = HermesFormat().spelling,
      .recognises =
          [](std::string_view text) {
            return text.contains("<tool_call>") && text.contains(kFunction) &&
                   text.contains(kParameter);
          },
      .reader = [](std::string_view opener,
                   std::span<const Tool> tools) -> std::unique_ptr<CallReader> {
        return std::make_unique<QwenCoderReader>(opener, tools);
      }};
  return format;
}

}  // namespace switchyard::protocol
