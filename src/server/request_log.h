// One line for each request in logfmt (key=value), for the operator. Never a prompt, an answer or a
// key. Values; the sink is called from several threads, one line a call.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace switchyard::server {

using LogSink = std::function<void(std::string_view line)>;

struct RequestLine {
  std::string id;
  std::string method;
  std::string path;
  std::string client;
  int status = 0;
  std::string error;  // its code
  bool stream = false;
  std::int64_t choices = 0;  // 0: no completion, and what follows is left out
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::string finish;  // of the first choice
  double first_token_s = 0;
  double total_s = 0;
};

std::string ToText(const RequestLine& line);

}  // namespace switchyard::server
