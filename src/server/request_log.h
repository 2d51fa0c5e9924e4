// One record for each request, for the operator. Never a prompt, an answer or a key. Values.
#pragma once

#include <cstdint>
#include <string>

#include "base/log.h"

namespace switchyard::server {

struct RequestLine {
  std::string id;
  std::string method;
  std::string path;
  std::string client;
  std::string key;  // its name, never itself
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

base::LogRecord ToRecord(const RequestLine& line);

}  // namespace switchyard::server
