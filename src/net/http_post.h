// One POST, whose answer is given out as it comes. Blocks; any thread may call it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace switchyard::net {

struct HttpPostRequest {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  // PEM of what is trusted; empty means the system's authorities.
  std::string ca_file;
  // False where the server was reached by an address that its certificate does not name.
  bool check_host_name = true;
  // A server on this machine is never behind a proxy.
  bool use_proxy = true;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds total_timeout{0};  // 0: none
  // Called with each part of the answer's body, whatever its status; false ends the exchange.
  std::function<bool(std::string_view)> on_body;
};

// The answer's status; redirects are not followed. kCancelled if `on_body` ended it, kUnavailable
// if the server can't be reached or breaks off, kDeadlineExceeded after the time.
base::Result<int> HttpPost(const HttpPostRequest& request);

}  // namespace switchyard::net
