// One connection of the HTTP server: reads requests one after the other, hands each to the service
// and writes its answer. While an answer is due it keeps a read open, so that a client that goes is
// noticed. Everything runs on the connection's strand; whoever waits for it owns it.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "net/http_server.h"
#include "net/internal/asio_loop.h"
#include "net/internal/connection_stream.h"

namespace switchyard::net {

namespace asio = boost::asio;
namespace beast = boost::beast;

namespace internal {

class HttpConnection;

// What runs a server that has no loop.
struct Threads {
  explicit Threads(const HttpServerOptions& options)
      : workers(std::max<std::size_t>(1, options.worker_threads)),
        work(asio::make_work_guard(io)) {}

  asio::io_context io;
  asio::thread_pool workers;
  asio::executor_work_guard<asio::io_context::executor_type> work;
};

// What the server, its connections and their responders share; it lives as long as any of them.
struct ServerShared {
  ServerShared(HttpServerOptions chosen, HttpService function)
      : options(std::move(chosen)),
        service(std::move(function)),
        threads(options.loop != nullptr ? nullptr : std::make_unique<Threads>(options)),
        io(options.loop != nullptr ? AsioLoop::Of(*options.loop).io() : threads->io) {}

  void CloseAll();
  bool AllClosed();  // on the loop
  // For a connection that begins; null: in the clear.
  std::shared_ptr<asio::ssl::context> Tls() const;

  const HttpServerOptions options;
  const HttpService service;
  const std::unique_ptr<Threads> threads;  // null on a loop
  asio::io_context& io;
  std::atomic<bool> stopped = false;  // nothing runs any more
  std::atomic<std::size_t> connections = 0;
  std::mutex mutex;
  std::map<HttpConnection*, std::weak_ptr<HttpConnection>> open;  // guarded by `mutex`
  bool closing = false;                                           // guarded by `mutex`
};

// One request and its answer. (internal::Exchange is a client's.)
class ServedExchange final : public HttpResponder {
 public:
  ServedExchange(std::shared_ptr<HttpConnection> connection, std::shared_ptr<ServerShared> shared,
                 bool chunked)
      : connection_(std::move(connection)), shared_(std::move(shared)), chunked_(chunked) {}
  ~ServedExchange() override;

  void Respond(HttpResponse response) override;
  void BeginStream(HttpResponse head) override;
  void Write(std::string part) override;
  void EndStream() override;
  void Abort() override;
  void Post(std::function<void()> work) override;
  void After(std::chrono::milliseconds time, std::function<void()> work) override;
  void OnGone(std::function<void()> on_gone) override;

  // What OnGone needs, which a connection keeps while the responder may be destroyed.
  struct Watch {
    std::function<void()> on_gone;  // on the strand
    bool is_over = false;           // on the strand
    std::optional<asio::steady_timer> timer;  // of After, on the strand
    std::atomic<bool> gone = false;
    std::atomic<std::size_t> buffered_bytes = 0;
  };
  const std::shared_ptr<Watch>& watch() const { return watch_; }

 private:
  std::shared_ptr<HttpConnection> connection_;
  std::shared_ptr<ServerShared> shared_;
  // Shared with the connection.
  std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
  const bool chunked_;
  std::atomic<bool> begun_ = false;
  std::atomic<bool> ended_ = false;
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Socket = asio::ip::tcp::socket;

  static void Begin(const std::shared_ptr<ServerShared>& shared, Socket socket);
  HttpConnection(std::shared_ptr<ServerShared> shared, Socket socket);
  ~HttpConnection();

  // For the server, from any thread.
  void CloseSoon();

  // For an exchange, on the strand; `watch` says which.
  void Send(const std::shared_ptr<ServedExchange::Watch>& watch, std::string bytes, bool is_last,
            bool keep_alive);
  void Drop(const std::shared_ptr<ServedExchange::Watch>& watch);

  asio::any_io_executor executor() { return stream_.get_executor(); }
  // Of the request that is being answered; written on the strand before its service runs.
  bool keeps_alive() const { return keep_alive_; }
  bool is_closed() const { return is_closed_; }
  bool is_head() const { return is_head_; }

 private:
  using Parser = beast::http::request_parser<beast::http::string_body>;

  void Handshake();
  void AwaitRequest();
  void ReadHeader();
  void OnHeader(boost::system::error_code error);
  void ReadBody();
  void OnBody(boost::system::error_code error);
  void Dispatch();
  void WatchClient();
  void OnWatched(boost::system::error_code error, std::size_t bytes);
  void Flush();
  void OnWritten(boost::system::error_code error);
  void Refuse(int status, std::string_view message);
  void FinishExchange();
  void Linger();
  void DropWhatComes();
  void Close();
  void SetDeadline(std::chrono::milliseconds after);
  void ClearDeadline();

  std::shared_ptr<ServerShared> shared_;
  ConnectionStream stream_;
  asio::steady_timer deadline_;
  std::uint64_t deadline_id_ = 0;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::string peer_;
  std::shared_ptr<ServedExchange::Watch> watch_;  // of the exchange in progress, shared with it
  std::string pending_;                           // to be written next
  std::string writing_;                           // being written
  bool is_writing_ = false;
  bool is_watching_ = false;
  bool is_last_ = false;        // no more will come for this exchange
  bool wants_request_ = false;  // once the watch has ended
  bool keep_alive_ = true;
  bool is_head_ = false;
  bool is_closed_ = false;
  bool is_lingering_ = false;  // all is written, and the client is given time to have it
};

// Status line and headers. `length`: of the body; none: chunked, or until the connection closes.
std::string HeadText(const HttpResponse& response, std::optional<std::size_t> length, bool chunked,
                     bool keep_alive);

}  // namespace internal
}  // namespace switchyard::net
