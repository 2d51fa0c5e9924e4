#include "protocol/json_call.h"

#include <utility>

namespace switchyard::protocol {
namespace {

using Step = CallReader::Step;
using Place = JsonScanner::Place;

constexpr std::size_t kKeyBytes = 64;
// Of arguments that cannot be passed on as they come.
constexpr std::size_t kWaitingBytes = 1 << 20;

// A JSON string's text without its quotes and escapes.
std::optional<std::string> Unquoted(const std::string& json) {
  const auto value = base::ParseJson(json, "string");
  if (!value || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

}  // namespace

Step ArgumentsObject::Push(char byte, CallSink& sink) {
  const bool is_before = scanner_.depth() == 0;
  if (is_before && byte != '{') return IsJsonBlank(byte) ? Step::kMore : Step::kBroken;
  const auto step = scanner_.Push(byte);
  if (step == JsonScanner::Step::kBroken) return Step::kBroken;
  sink.Arguments({&byte, 1});
  if (step != JsonScanner::Step::kDone) return Step::kMore;
  sink.End();
  return Step::kDone;
}

Step JsonCall::Push(char byte, CallSink& sink) {
  const std::size_t depth = scanner_.depth();
  const Place place = scanner_.place();
  if (depth == 0 && byte != '{') return IsJsonBlank(byte) ? Step::kMore : Step::kBroken;
  if (scanner_.Push(byte) == JsonScanner::Step::kBroken) return Step::kBroken;
  const Place next = scanner_.place();
  if (depth == 1 && place == Place::kKey && next == Place::kInside) {
    key_.clear();
  } else if (depth == 1 && place == Place::kInside && !in_value_) {
    // Longer keys are none of ours; what is over is not kept.
    if (next == Place::kInside && key_.size() < kKeyBytes) key_ += byte;
  } else if (depth == 1 && place == Place::kValue && !IsJsonBlank(byte)) {
    BeginValue(byte);
    if (member_ == Member::kOther && !known_.empty() && key_ != "type" && key_ != "id") {
      return Step::kBroken;
    }
  }
  if (in_value_) {
    const Step step = TakeValue(byte, sink);
    if (step != Step::kMore) return step;
  }
  return depth > 0 && scanner_.depth() == 0 ? EndCall(sink) : Step::kMore;
}

void JsonCall::BeginValue(char byte) {
  in_value_ = true;
  is_first_byte_ = true;
  first_ = byte;
  value_.clear();
  member_ = key_ == "name"                                ? Member::kName
            : key_ == "arguments" || key_ == "parameters" ? Member::kArguments
                                                          : Member::kOther;
}

Step JsonCall::TakeValue(char byte, CallSink& sink) {
  const bool is_object = first_ == '{';
  const bool is_number = first_ == '-' || (first_ >= '0' && first_ <= '9');
  const bool is_over = scanner_.depth() <= 1 && scanner_.place() != Place::kInside;
  if (is_number) {
    // Its end shows only in the byte behind it.
    if (is_over) in_value_ = false;
    return member_ == Member::kOther ? Step::kMore : Step::kBroken;
  }
  if (member_ == Member::kArguments && is_object) {
    if (std::exchange(is_first_byte_, false) && has_arguments_) return Step::kBroken;
    has_arguments_ = true;
    if (is_begun_) {
      sink.Arguments({&byte, 1});
    } else if (waiting_.size() < kWaitingBytes) {
      waiting_ += byte;
    } else {
      return Step::kBroken;
    }
    if (is_over) in_value_ = false;
    return Step::kMore;
  }
  if (member_ != Member::kOther) {
    const std::size_t most =
        member_ == Member::kName ? 6 * kFunctionNameBytes + 2 : kWaitingBytes;
    if (value_.size() >= most) return Step::kBroken;
    value_ += byte;
  }
  return is_over ? EndValue(sink) : Step::kMore;
}

Step JsonCall::EndValue(CallSink& sink) {
  in_value_ = false;
  if (member_ == Member::kName) return TakeName(sink);
  if (member_ == Member::kOther) return Step::kMore;
  if (has_arguments_) return Step::kBroken;
  if (first_ == 'n') return TakeArguments("{}", sink);
  if (first_ != '"') return Step::kBroken;
  auto text = Unquoted(value_);
  if (!text) return Step::kBroken;
  if (text->empty()) return TakeArguments("{}", sink);
  const auto object = base::ParseJson(*text, "arguments");
  if (!object || !object->is_object()) return Step::kBroken;
  return TakeArguments(std::move(*text), sink);
}

Step JsonCall::TakeName(CallSink& sink) {
  auto name = first_ == '"' && !is_begun_ ? Unquoted(value_) : std::nullopt;
  if (!name || name->empty() || name->size() > kFunctionNameBytes) return Step::kBroken;
  if (!known_.empty() && FindTool(known_, *name) == nullptr) return Step::kBroken;
  is_begun_ = true;
  sink.Begin(std::move(*name), "");
  if (!waiting_.empty()) sink.Arguments(std::exchange(waiting_, {}));
  return Step::kMore;
}

Step JsonCall::TakeArguments(std::string text, CallSink& sink) {
  has_arguments_ = true;
  if (is_begun_) {
    sink.Arguments(text);
  } else {
    waiting_ = std::move(text);
  }
  return Step::kMore;
}

Step JsonCall::EndCall(CallSink& sink) {
  if (!is_begun_) return Step::kBroken;
  if (!has_arguments_) sink.Arguments("{}");
  sink.End();
  return Step::kDone;
}

}  // namespace switchyard::protocol
