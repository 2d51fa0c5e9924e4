#include "protocol/choice_writer.h"

#include <utility>

namespace switchyard::protocol {
namespace {

using EventKind = AnswerEvent::Kind;

std::string Letters(std::uint64_t bits, std::size_t count) {
  static constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string text;
  for (; text.size() < count; bits /= kLetters.size()) text += kLetters[bits % kLetters.size()];
  return text;
}

}  // namespace

ChoiceWriter::ChoiceWriter(ChoiceForm form, std::function<std::uint64_t()> bits)
    : form_(std::move(form)), bits_(std::move(bits)), parser_(form_.answer) {}

std::string ChoiceWriter::CallId(std::string given) {
  const ToolFormat* format = form_.answer.format;
  if (format != nullptr && format->has_short_ids) return Letters(bits_(), 9);
  if (!given.empty()) return given;
  // 62^8 is less than 2^64.
  return "call_" + Letters(bits_(), 8) + Letters(bits_(), 8) + Letters(bits_(), 8);
}

std::vector<Choice> ChoiceWriter::ToParts(std::vector<AnswerEvent> events) {
  std::vector<Choice> parts;
  for (AnswerEvent& event : events) {
    Choice part;
    switch (event.kind) {
      case EventKind::kContent:
        part.text = std::move(event.text);
        break;
      case EventKind::kReasoning:
        if (!form_.tells_reasoning) continue;
        part.reasoning = std::move(event.text);
        break;
      case EventKind::kCall:
        part.calls.push_back({.index = next_call_++,
                              .id = CallId(std::move(event.id)),
                              .name = std::move(event.text)});
        break;
      case EventKind::kArguments:
        part.calls.push_back({.index = next_call_ - 1, .arguments = std::move(event.text)});
        break;
      case EventKind::kCallEnd:
        continue;
      case EventKind::kCallBroken:
        // What was told cannot be taken back; the rest shows what the model did.
        part.text = event.text.substr(event.told);
        if (part.text.empty()) continue;
        break;
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

void ChoiceWriter::AddTo(Choice& whole, std::vector<AnswerEvent> events) {
  for (AnswerEvent& event : events) {
    switch (event.kind) {
      case EventKind::kContent:
        whole.text += event.text;
        break;
      case EventKind::kReasoning:
        if (form_.tells_reasoning) whole.reasoning += event.text;
        break;
      case EventKind::kCall:
        whole.calls.push_back({.index = next_call_++,
                               .id = CallId(std::move(event.id)),
                               .name = std::move(event.text)});
        break;
      case EventKind::kArguments:
        whole.calls.back().arguments += event.text;
        break;
      case EventKind::kCallEnd:
        break;
      case EventKind::kCallBroken:
        whole.calls.pop_back();
        whole.text += event.text;
        break;
    }
  }
}

std::vector<Choice> ChoiceWriter::Stream(std::string_view text) {
  return ToParts(parser_.Push(text));
}

std::vector<Choice> ChoiceWriter::EndStream(bool is_cut) { return ToParts(parser_.Finish(is_cut)); }

void ChoiceWriter::Collect(std::string_view text, Choice& whole) {
  AddTo(whole, parser_.Push(text));
}

void ChoiceWriter::EndCollect(bool is_cut, Choice& whole) { AddTo(whole, parser_.Finish(is_cut)); }

void ChoiceWriter::Resume(std::string_view text) { ToParts(parser_.Push(text)); }

Finish ChoiceWriter::FinishOf(bool is_cut) const {
  if (is_cut) return Finish::kLength;
  return parser_.calls() > 0 ? Finish::kToolCalls : Finish::kStop;
}

}  // namespace switchyard::protocol
