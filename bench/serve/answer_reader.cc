#include "answer_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace switchyard::bench {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

// The number behind `name` in JSON without spaces or with one; -1 if it is not there.
std::int64_t NumberAfter(std::string_view json, std::string_view name) {
  const std::size_t at = json.find(name);
  if (at == std::string_view::npos) return -1;
  const char* first = json.data() + at + name.size();
  const char* const last = json.data() + json.size();
  while (first != last && (*first == ':' || *first == ' ')) ++first;
  std::int64_t value = -1;
  std::from_chars(first, last, value);
  return value;
}

bool HasText(std::string_view json) {
  using namespace std::string_view_literals;
  for (const std::string_view name : {"\"text\":"sv, "\"content\":"sv}) {
    std::size_t at = json.find(name);
    if (at == std::string_view::npos) continue;
    at += name.size();
    while (at < json.size() && json[at] == ' ') ++at;
    return json.substr(at).starts_with('"') && !json.substr(at).starts_with("\"\"");
  }
  return false;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

}  // namespace

bool AnswerReader::Push(std::string_view bytes, double now_s) {
  raw_ += bytes;
  while (state_ != State::kDone && answer_.fault.empty()) {
    if (state_ == State::kHead) {
      if (!TakeHead()) return false;
    } else if (state_ == State::kChunkSize) {
      if (!TakeChunkSize()) return false;
    } else if (state_ == State::kChunkEnd) {
      if (raw_.size() < kLineEnd.size()) return false;
      raw_.erase(0, kLineEnd.size());
      state_ = State::kChunkSize;
    } else {
      const std::size_t size = std::min(left_, raw_.size());
      TakeBody(std::string_view(raw_).substr(0, size), now_s);
      raw_.erase(0, size);
      left_ -= size;
      if (left_ > 0) return false;
      state_ = state_ == State::kChunk ? State::kChunkEnd : State::kDone;
    }
  }
  if (answer_.fault.empty() && answer_.status != 200) answer_.fault = body_;
  return state_ == State::kDone;
}

bool AnswerReader::TakeHead() {
  const std::size_t end = raw_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = Lower(std::string_view(raw_).substr(0, end + 2));
  raw_.erase(0, end + 4);
  answer_.status = static_cast<int>(NumberAfter(head, "http/1.1"));
  if (head.find("transfer-encoding: chunked") != std::string::npos) {
    state_ = State::kChunkSize;
  } else {
    const std::int64_t length = NumberAfter(head, "content-length");
    if (length < 0) answer_.fault = "an answer without a length: " + head;
    left_ = static_cast<std::size_t>(std::max<std::int64_t>(0, length));
    state_ = State::kPlain;
  }
  return true;
}

bool AnswerReader::TakeChunkSize() {
  const std::size_t end = raw_.find(kLineEnd);
  if (end == std::string::npos) return false;
  std::size_t size = 0;
  const auto [at, error] = std::from_chars(raw_.data(), raw_.data() + end, size, 16);
  if (error != std::errc() || at == raw_.data()) {
    answer_.fault = "a chunk without a size: " + raw_.substr(0, end);
    return true;
  }
  if (size == 0) {
    // No server sends trailers unasked: an empty line ends the body.
    if (raw_.size() < end + 2 * kLineEnd.size()) return false;
    raw_.erase(0, end + 2 * kLineEnd.size());
    state_ = State::kDone;
    return true;
  }
  raw_.erase(0, end + kLineEnd.size());
  left_ = size;
  state_ = State::kChunk;
  return true;
}

void AnswerReader::TakeBody(std::string_view bytes, double now_s) {
  body_ += bytes;
  if (answer_.status != 200) return;
  std::size_t begin = 0;
  for (std::size_t end = body_.find("\n\n"); end != std::string::npos;
       end = body_.find("\n\n", begin)) {
    TakeEvent(std::string_view(body_).substr(begin, end - begin), now_s);
    begin = end + 2;
  }
  body_.erase(0, begin);
}

void AnswerReader::TakeEvent(std::string_view event, double now_s) {
  // As a key: an answer's text may be that word.
  if (event.find("\"error\":") != std::string_view::npos) answer_.fault = event;
  if (HasText(event)) answer_.text_s.push_back(now_s);
  if (event.find("\"usage\":{") == std::string_view::npos &&
      event.find("\"usage\": {") == std::string_view::npos) {
    return;
  }
  answer_.prompt_tokens = NumberAfter(event, "\"prompt_tokens\"");
  answer_.completion_tokens = NumberAfter(event, "\"completion_tokens\"");
  answer_.cached_tokens = std::max<std::int64_t>(0, NumberAfter(event, "\"cached_tokens\""));
}

}  // namespace switchyard::bench
