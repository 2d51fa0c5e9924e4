// An HTTP/1.1 client for one event loop: requests to many servers at once, over connections that
// are kept and used again, in the clear or under TLS, with answers that are told as they come. Call
// it on the loop's thread only; listeners are called there too.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/event_loop.h"
#include "net/http_headers.h"
#include "net/url.h"

namespace switchyard::net {

// 0: no limit.
struct CallTimes {
  std::chrono::milliseconds connect{0};  // with a TLS handshake
  std::chrono::milliseconds head{0};     // from the connection to the answer's status
  std::chrono::milliseconds silence{0};  // between two pieces of the body
};

struct CallRequest {
  std::string method = "POST";
  std::string target = {};   // "/v1/models", behind the origin's base path
  HttpHeaders headers = {};  // besides Host and Content-Length
  // Sent one after the other as they lie, so that a large body is never copied. They live as long
  // as `keeper`, which the call shares.
  std::vector<std::string_view> body = {};
  std::shared_ptr<const void> keeper = {};
  CallTimes times = {};
};

struct CallHead {
  int status = 0;
  HttpHeaders headers;
  std::string_view Header(std::string_view name) const { return FindHeader(headers, name); }
};

struct CallFailure {
  enum class Stage : std::uint8_t { kConnect, kHead, kBody };
  Stage stage = Stage::kConnect;  // what did not come about
  bool is_timeout = false;
  base::Error error;
};

// OnHead, OnBody as often as pieces come, then OnEnd; or OnFailure at any time instead of the rest.
// It is kInternal when the listener threw at what came.
class CallListener {
 public:
  virtual ~CallListener() = default;
  virtual void OnHead(CallHead head) = 0;
  virtual void OnBody(std::string_view piece) = 0;
  virtual void OnEnd() = 0;
  virtual void OnFailure(CallFailure failure) = 0;
};

// One request in progress. Destroying it cancels.
class HttpCall {
 public:
  virtual ~HttpCall() = default;
  // The server is told at once, by the closed connection; the listener hears nothing more.
  virtual void Cancel() = 0;
};

struct HttpClientOptions {
  std::string ca_file;                      // PEM; empty: the system's authorities
  std::size_t idle_connections_each = 256;  // kept for an origin
  std::chrono::milliseconds idle_time{30'000};
  std::size_t head_limit_bytes = 64 << 10;
};

class HttpClient {
 public:
  // kInvalidArgument if the authorities cannot be read. `loop` outlives the client.
  static base::Result<std::unique_ptr<HttpClient>> Create(EventLoop& loop,
                                                          HttpClientOptions options);
  // On the loop's thread. Calls in progress end without a word.
  virtual ~HttpClient() = default;

  // `listener` is shared with the call, and never called before this returns.
  virtual std::unique_ptr<HttpCall> Send(const HttpOrigin& origin, CallRequest request,
                                         std::shared_ptr<CallListener> listener) = 0;
};

}  // namespace switchyard::net
