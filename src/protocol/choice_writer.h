// From the text of one choice of a chat to OpenAI's messages and deltas: calls of tools with their
// ids and indices, reasoning apart from content. Either streams or collects. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/answer_parser.h"
#include "protocol/completion_response.h"

namespace switchyard::protocol {

struct ChoiceForm {
  AnswerForm answer;
  bool tells_reasoning = true;
};

class ChoiceWriter {
 public:
  // `bits` gives random numbers for the calls' ids.
  ChoiceWriter(ChoiceForm form, std::function<std::uint64_t()> bits);

  // The parts of a stream that this text makes, one for each chunk; their index, logprobs and
  // text_offset are the caller's to fill in.
  std::vector<Choice> Stream(std::string_view text);
  std::vector<Choice> EndStream(bool is_cut);

  // Adds to a whole choice. What was no call after all becomes content again.
  void Collect(std::string_view text, Choice& whole);
  void EndCollect(bool is_cut, Choice& whole);

  // Takes up an answer whose beginning, `text`, was told by another: it is told no more.
  void Resume(std::string_view text);

  // Why the choice ended; it is over.
  Finish FinishOf(bool is_cut) const;

 private:
  std::vector<Choice> ToParts(std::vector<AnswerEvent> events);
  void AddTo(Choice& whole, std::vector<AnswerEvent> events);
  std::string CallId(std::string given);

  ChoiceForm form_;
  std::function<std::uint64_t()> bits_;
  AnswerParser parser_;
  std::int32_t next_call_ = 0;  // its index
};

}  // namespace switchyard::protocol
