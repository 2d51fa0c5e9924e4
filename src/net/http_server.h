// An HTTP/1.1 server, in the clear or under TLS: keep-alive, whole and streamed answers, limits on
// sizes and times. It knows no routes; each request goes to one function, on a worker thread of the
// server's, which answers through the request's HttpResponder, then or later and from any thread.
//
// A client that vanishes or closes its side, and one that reads too slowly, ends its exchange: the
// responder's OnGone is called and the connection closed. Nobody who writes ever waits for a
// client.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/event_loop.h"
#include "net/http_headers.h"
#include "net/tls_identity.h"

namespace switchyard::net {

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // "/v1/models?x=1", as it came
  HttpHeaders headers = {};
  std::string body = {};
  std::string peer = {};  // "127.0.0.1:51000"

  // The first header of this name, in any case; empty if there is none.
  std::string_view Header(std::string_view name) const { return FindHeader(headers, name); }
  // The target without its query.
  std::string_view Path() const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  HttpHeaders headers = {};
  std::string body = {};
};

// Answers one request. Any thread; calls take effect in the order of each thread's. If it is
// destroyed without an answer, the client is told 500.
class HttpResponder {
 public:
  virtual ~HttpResponder() = default;

  virtual void Respond(HttpResponse response) = 0;

  // Instead of Respond: status and headers (the body, if any, comes first), then parts, then the
  // end.
  virtual void BeginStream(HttpResponse head) = 0;
  virtual void Write(std::string part) = 0;
  virtual void EndStream() = 0;
  // Closes the connection where it stands, so that the client sees a broken answer.
  virtual void Abort() = 0;

  // Runs `work` on the connection's own sequence: one at a time, in order, with OnGone's. It runs
  // even when the client has gone, unless the server has stopped. It must not block.
  virtual void Post(std::function<void()> work) = 0;
  // Post after some time, once; dropped when the answer has ended or the client has gone. A later
  // call takes its place.
  virtual void After(std::chrono::milliseconds time, std::function<void()> work) = 0;
  // `on_gone` runs there once, if the client goes before the answer's end; at once if it has gone.
  virtual void OnGone(std::function<void()> on_gone) = 0;
};

using HttpService = std::function<void(HttpRequest, std::shared_ptr<HttpResponder>)>;

// What the server itself says of a request that never reaches the service; the body of an error.
using HttpErrorBody = std::function<std::string(int status, std::string_view message)>;

struct HttpServerOptions {
  // Everything runs on this loop, the service function too, which then must not block; there are no
  // threads of the server's own. It outlives the server and every responder. Null: own threads.
  EventLoop* loop = nullptr;
  bool shares_port = false;  // several servers may listen on the port, and the kernel picks one
  std::string host = "127.0.0.1";  // or a name, "0.0.0.0", "::1", "::" (both families)
  std::uint16_t port = 0;          // 0: any that is free
  std::size_t io_threads = 1;      // without a loop, as the next
  std::size_t worker_threads = 2;  // for the service function, which may take its time
  std::size_t max_connections = 1024;
  std::size_t header_limit_bytes = 32 << 10;
  std::size_t body_limit_bytes = 32 << 20;
  // What a slow client may leave unread before it counts as gone, besides one part of the stream.
  std::size_t stream_buffer_bytes = 1 << 20;
  std::chrono::milliseconds header_timeout{10'000};  // from the first byte; of a TLS handshake
  std::chrono::milliseconds body_timeout{60'000};
  std::chrono::milliseconds idle_timeout{75'000};   // between requests
  std::chrono::milliseconds write_timeout{30'000};  // without progress
  HttpErrorBody error_body = {};                    // null: plain text
  std::shared_ptr<TlsIdentity> tls = {};  // shared with whoever reloads it; null: HTTP in the clear
};

class HttpServer {
 public:
  // Listens and serves at once. kUnavailable if the address can't be had.
  static base::Result<std::unique_ptr<HttpServer>> Start(HttpServerOptions options,
                                                         HttpService service);
  // Stops.
  virtual ~HttpServer() = default;

  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
  // Closes the door and every connection, running OnGone of exchanges in progress, and ends the
  // threads. An answer that is all there is written and read before, if its client takes it within
  // two seconds. Responders that outlive it do nothing. Not from a thread of the server's, nor from
  // its loop's.
  virtual void Stop() = 0;
};

}  // namespace switchyard::net
