// Takes a streamed answer apart as its bytes arrive: the head, the chunks of the body, the events
// in them. Only as much of HTTP and JSON as OpenAI's streams need, because the load generator
// shares the cores with the server that it measures.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::bench {

struct Answer {
  int status = 0;
  double sent_s = 0;
  double ended_s = 0;
  std::vector<double> text_s;  // when an event with text came
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::string fault;  // why there is no whole answer, or the body of a refusal
};

class AnswerReader {
 public:
  explicit AnswerReader(Answer& answer) : answer_(answer) {}

  // Bytes that came at `now_s`. Returns whether the answer is complete; `answer.fault` says why not
  // to go on.
  bool Push(std::string_view bytes, double now_s);

 private:
  enum class State { kHead, kChunkSize, kChunk, kChunkEnd, kPlain, kDone };

  bool TakeHead();
  bool TakeChunkSize();
  void TakeBody(std::string_view bytes, double now_s);
  void TakeEvent(std::string_view event, double now_s);

  Answer& answer_;
  State state_ = State::kHead;
  std::string raw_;       // not yet taken apart
  std::string body_;      // an event that is not whole yet, or a refusal
  std::size_t left_ = 0;  // bytes of the chunk, or of a plain body
};

}  // namespace switchyard::bench
