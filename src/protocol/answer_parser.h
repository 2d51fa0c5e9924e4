// Takes the text of an answer apart, as it comes: reasoning, content and calls of tools. Nothing of
// a mark is ever told as content, nothing is lost or told twice, and what is told does not depend
// on how the text was cut into pieces. A pure function of the text; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/tool_format.h"

namespace switchyard::protocol {

// What stands around the reasoning of models that think aloud.
struct ReasoningMarks {
  std::string_view open;
  std::string_view close;
};

// Those of the models with this chat template, if they have any.
std::optional<ReasoningMarks> RecogniseReasoning(std::string_view chat_template);

// What an answer may hold.
struct AnswerForm {
  const ToolFormat* format = nullptr;              // null: no calls
  std::shared_ptr<const std::vector<Tool>> tools;  // with the request's other choices
  std::size_t max_calls = 256;                     // further ones are read and not told
  std::optional<ReasoningMarks> reasoning;
  bool begins_in_reasoning = false;  // the prompt opened it
};

struct AnswerEvent {
  enum class Kind : std::uint8_t {
    kContent,
    kReasoning,
    kCall,        // `text`: the function; `id`: the model's own, or empty
    kArguments,   // a further piece of them
    kCallEnd,     // the call is whole
    kCallBroken,  // the call that was begun is none: `text` is what the model wrote instead
  };
  Kind kind = Kind::kContent;
  std::string text;
  std::string id = {};
  std::size_t told = 0;  // of kCallBroken: bytes of `text` that were told as arguments or name
};

class AnswerParser final : private CallSink {
 public:
  explicit AnswerParser(AnswerForm form);
  AnswerParser(const AnswerParser&) = delete;
  AnswerParser& operator=(const AnswerParser&) = delete;

  std::vector<AnswerEvent> Push(std::string_view text);
  // The answer is over. `is_cut`: by a limit, not by its own end; a call in progress is then left
  // as it is.
  std::vector<AnswerEvent> Finish(bool is_cut);

  // Whole calls that were told.
  std::size_t calls() const { return calls_; }

 private:
  enum class Mode : std::uint8_t { kText, kReasoning, kCall };
  enum class Mark : std::uint8_t { kPrelude, kOpener, kCloser, kReasonOpen, kReasonClose };
  struct MarkText {
    Mark mark;
    std::string_view text;
  };

  void Begin(std::string name, std::string id) override;
  void Arguments(std::string_view text) override;
  void End() override;

  void Byte(char byte);
  void Scan(char byte);
  void Plain(char byte);
  void Take(const MarkText& mark);
  void Read(char byte);
  bool IsActive(Mark mark) const;
  const MarkText* FindMark(std::string_view text, bool* may_become) const;
  void OpenCalls(std::string_view opener);
  void GiveBack();
  void CloseSection();
  void SayBlanks();
  void Tell(AnswerEvent::Kind kind, std::string_view text, std::string id = {});

  const AnswerForm form_;
  std::vector<MarkText> marks_;
  std::vector<AnswerEvent> events_;
  Mode mode_ = Mode::kText;
  std::string held_;             // perhaps the beginning of a mark
  std::string blanks_;           // blanks and preludes that are a call's if one follows
  bool has_said_ = false;        // content
  bool has_begun_ = false;       // anything but blanks came
  bool drops_blanks_ = false;    // behind reasoning
  bool is_behind_call_ = false;  // and no content since
  std::unique_ptr<CallReader> reader_;
  std::string raw_;           // of the call in progress, with what stood before it
  std::size_t told_raw_ = 0;  // of raw_
  std::size_t section_calls_ = 0;
  bool is_call_open_ = false;
  bool is_muted_ = false;  // the call in progress is beyond max_calls
  std::size_t calls_ = 0;
};

}  // namespace switchyard::protocol
