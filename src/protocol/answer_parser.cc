#include "protocol/answer_parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "protocol/json_scanner.h"

namespace switchyard::protocol {
namespace {

using EventKind = AnswerEvent::Kind;

// What a call in progress may hold; an answer is bounded by the context, and this is far above it.
constexpr std::size_t kCallBytes = 4 << 20;

bool IsBlank(std::string_view text) { return std::ranges::all_of(text, IsJsonBlank); }

}  // namespace

std::optional<ReasoningMarks> RecogniseReasoning(std::string_view chat_template) {
  static constexpr auto kMarks = std::to_array<ReasoningMarks>({
      {"<think>", "</think>"},
      {"<seed:think>", "</seed:think>"},
      {"[THINK]", "[/THINK]"},
  });
  for (const ReasoningMarks& marks : kMarks) {
    if (chat_template.contains(marks.close)) return marks;
  }
  return std::nullopt;
}

AnswerParser::AnswerParser(AnswerForm form) : form_(std::move(form)) {
  if (form_.reasoning) {
    marks_.push_back({Mark::kReasonOpen, form_.reasoning->open});
    marks_.push_back({Mark::kReasonClose, form_.reasoning->close});
    if (form_.begins_in_reasoning) {
      mode_ = Mode::kReasoning;
      drops_blanks_ = true;
    }
  }
  if (form_.format == nullptr) return;
  for (const auto text : form_.format->preludes) marks_.push_back({Mark::kPrelude, text});
  for (const auto text : form_.format->openers) marks_.push_back({Mark::kOpener, text});
  for (const auto text : form_.format->closers) marks_.push_back({Mark::kCloser, text});
}

std::vector<AnswerEvent> AnswerParser::Push(std::string_view text) {
  for (const char byte : text) Byte(byte);
  return std::exchange(events_, {});
}

std::vector<AnswerEvent> AnswerParser::Finish(bool is_cut) {
  // Half of a mark that would have said nothing says nothing.
  if (mode_ == Mode::kText && is_behind_call_ && !held_.empty() && IsBlank(blanks_)) {
    const bool is_closer = std::ranges::any_of(marks_, [this](const MarkText& mark) {
      return mark.mark == Mark::kCloser && mark.text.starts_with(held_);
    });
    if (is_closer) held_.clear();
  }
  // What else could have become a mark is none.
  while (!held_.empty() && mode_ != Mode::kCall) {
    const std::string held = std::exchange(held_, {});
    Plain(held.front());
    for (const char byte : held.substr(1)) Byte(byte);
  }
  if (mode_ == Mode::kCall) {
    const bool only_the_list_is_open =
        section_calls_ > 0 && raw_.find_first_not_of(" \n\r\t,") == std::string::npos;
    if (only_the_list_is_open) {
      CloseSection();
    } else if (!is_cut || !is_call_open_) {
      GiveBack();
    }
  }
  if (mode_ == Mode::kText && !blanks_.empty() && (calls_ == 0 || !IsBlank(blanks_))) SayBlanks();
  return std::exchange(events_, {});
}

void AnswerParser::Byte(char byte) {
  if (mode_ == Mode::kCall) {
    Read(byte);
  } else {
    Scan(byte);
  }
}

bool AnswerParser::IsActive(Mark mark) const {
  switch (mark) {
    case Mark::kReasonOpen:
      return mode_ == Mode::kText && !has_begun_;
    case Mark::kReasonClose:
      return mode_ == Mode::kReasoning;
    case Mark::kCloser:
      return mode_ == Mode::kText && is_behind_call_;
    default:
      return mode_ == Mode::kText;
  }
}

// The mark that `text` is; else whether it could become one.
const AnswerParser::MarkText* AnswerParser::FindMark(std::string_view text,
                                                     bool* may_become) const {
  *may_become = false;
  for (const MarkText& mark : marks_) {
    if (!IsActive(mark.mark) || !mark.text.starts_with(text)) continue;
    if (mark.text.size() == text.size()) return &mark;
    *may_become = true;
  }
  return nullptr;
}

void AnswerParser::Scan(char byte) {
  held_ += byte;
  bool may_become = false;
  if (const MarkText* mark = FindMark(held_, &may_become)) {
    held_.clear();
    return Take(*mark);
  }
  if (may_become) return;
  const std::string held = std::exchange(held_, {});
  Plain(held.front());
  for (const char later : std::string_view(held).substr(1)) Byte(later);
}

void AnswerParser::Take(const MarkText& mark) {
  has_begun_ = true;
  switch (mark.mark) {
    case Mark::kPrelude:
      blanks_ += mark.text;
      return;
    case Mark::kOpener:
      return OpenCalls(mark.text);
    case Mark::kCloser:
      blanks_.clear();
      return;
    case Mark::kReasonOpen:
    case Mark::kReasonClose:
      blanks_.clear();
      mode_ = mark.mark == Mark::kReasonOpen ? Mode::kReasoning : Mode::kText;
      drops_blanks_ = true;
      return;
  }
}

// A byte that is no mark's.
void AnswerParser::Plain(char byte) {
  if (IsJsonBlank(byte)) {
    if (drops_blanks_) return;
    if (mode_ == Mode::kText && form_.format == nullptr && has_begun_) {
      return Tell(EventKind::kContent, {&byte, 1});
    }
    blanks_ += byte;
    return;
  }
  has_begun_ = true;
  drops_blanks_ = false;
  if (mode_ == Mode::kReasoning) {
    Tell(EventKind::kReasoning, std::exchange(blanks_, {}) + byte);
    return;
  }
  if (byte == '{' && form_.format != nullptr && form_.format->takes_bare_object && !has_said_) {
    OpenCalls("");
    return Read(byte);
  }
  SayBlanks();
  Tell(EventKind::kContent, {&byte, 1});
}

void AnswerParser::SayBlanks() {
  if (!blanks_.empty()) Tell(EventKind::kContent, std::exchange(blanks_, {}));
}

void AnswerParser::OpenCalls(std::string_view opener) {
  mode_ = Mode::kCall;
  raw_ = std::exchange(blanks_, {}) + std::string(opener);
  told_raw_ = 0;
  section_calls_ = 0;
  const std::span<const Tool> tools =
      form_.tools == nullptr ? std::span<const Tool>() : std::span<const Tool>(*form_.tools);
  reader_ = form_.format->reader(opener, tools);
}

void AnswerParser::Read(char byte) {
  raw_ += byte;
  const auto step =
      raw_.size() > kCallBytes ? CallReader::Step::kBroken : reader_->Push(byte, *this);
  if (step == CallReader::Step::kDone) return CloseSection();
  if (step == CallReader::Step::kMore) return;
  // The byte itself may begin something new.
  raw_.pop_back();
  told_raw_ = std::min(told_raw_, raw_.size());
  GiveBack();
  Byte(byte);
}

void AnswerParser::CloseSection() {
  mode_ = Mode::kText;
  reader_.reset();
  raw_.clear();
  is_behind_call_ = true;
}

void AnswerParser::GiveBack() {
  const std::string raw = std::exchange(raw_, {});
  mode_ = Mode::kText;
  reader_.reset();
  is_behind_call_ = false;
  if (std::exchange(is_call_open_, false)) {
    if (is_muted_) return;
    has_said_ = true;
    events_.push_back({.kind = EventKind::kCallBroken, .text = raw, .told = told_raw_});
  } else if (!raw.empty()) {
    Tell(EventKind::kContent, raw);
  }
}

void AnswerParser::Begin(std::string name, std::string id) {
  is_call_open_ = true;
  is_muted_ = calls_ >= form_.max_calls;
  if (is_muted_) return;
  events_.push_back({.kind = EventKind::kCall, .text = std::move(name), .id = std::move(id)});
  told_raw_ = raw_.size();
}

void AnswerParser::Arguments(std::string_view text) {
  if (is_muted_ || text.empty()) return;
  Tell(EventKind::kArguments, text);
  told_raw_ = raw_.size();
}

void AnswerParser::End() {
  is_call_open_ = false;
  raw_.clear();
  ++section_calls_;
  if (is_muted_) return;
  events_.push_back({.kind = EventKind::kCallEnd, .text = {}});
  ++calls_;
  told_raw_ = 0;
}

void AnswerParser::Tell(EventKind kind, std::string_view text, std::string id) {
  if (kind == EventKind::kContent) {
    has_said_ = true;
    is_behind_call_ = false;
  }
  if (!events_.empty() && events_.back().kind == kind) {
    events_.back().text += text;
    return;
  }
  events_.push_back({.kind = kind, .text = std::string(text), .id = std::move(id)});
}

}  // namespace switchyard::protocol
