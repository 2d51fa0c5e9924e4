// A whole answer through an HttpClient, bounded in size and time, for texts that are small: states,
// lists, registrations. On the client's loop only.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace switchyard::net {

struct FetchedAnswer {
  int status = 0;
  HttpHeaders headers = {};
  std::string body = {};
};

struct FetchLimits {
  std::size_t max_bytes = 4 << 20;
  std::chrono::milliseconds total{5'000};
};

// Destroying it cancels, from `told` too.
class HttpFetch {
 public:
  virtual ~HttpFetch() = default;
};

// `told` is called once, never before this returns: with the answer, whatever its status,
// kUnavailable if there is none, kDeadlineExceeded, or kResourceExhausted if it is too long.
std::unique_ptr<HttpFetch> Fetch(EventLoop& loop, HttpClient& client, const HttpOrigin& origin,
                                 CallRequest request, const FetchLimits& limits,
                                 std::function<void(base::Result<FetchedAnswer>)> told);

// The text is kept alive by the request.
void SetBody(CallRequest& request, std::string text);

}  // namespace switchyard::net
