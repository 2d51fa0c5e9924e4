// One connection of the HTTP server: reads requests one after the other, hands each to the service
// and writes its answer. While an answer is due it keeps a read open, so that a client that goes is
// noticed. Everything runs on the thread of the connection's loop; whoever waits for it owns it.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http_server.h"
#include "net/internal/asio_loop.h"
#include "net/internal/connection_stream.h"
#include "net/internal/lazy_deadline.h"
#include "net/internal/request_parser.h"

namespace switchyard::net {

namespace asio = boost::asio;
namespace beast = boost::beast;

namespace internal {

class HttpConnection;

// What runs a server that has no loop: threads that each have one, and workers for the service.
struct Threads {
  explicit Threads(const HttpServerOptions& options);

  struct Io {
    // Not with Asio's hint that one thread runs it: what that thread posts would overtake what
    // others posted before.
    asio::io_context context;
    asio::executor_work_guard<asio::io_context::executor_type> work =
        asio::make_work_guard(context);
  };
  std::vector<std::unique_ptr<Io>> ios;
  asio::thread_pool workers;
};

// What the server, its connections and their responders share; it lives as long as any of them.
struct ServerShared {
  ServerShared(HttpServerOptions chosen, HttpService function)
      : options(std::move(chosen)),
        service(std::move(function)),
        threads(options.loop != nullptr ? nullptr : std::make_unique<Threads>(options)),
        io(options.loop != nullptr ? AsioLoop::Of(*options.loop).io()
                                   : threads->ios.front()->context) {}

  void CloseAll();
  bool AllClosed();            // on the loop
  asio::io_context& NextIo();  // for a connection that begins; on `io`
  // For a connection that begins; null: in the clear.
  std::shared_ptr<asio::ssl::context> Tls() const;

  const HttpServerOptions options;
  const HttpService service;
  const std::unique_ptr<Threads> threads;  // null on a loop
  asio::io_context& io;                    // where doors are
  std::size_t begun = 0;                   // connections; used on `io`
  std::atomic<bool> stopped = false;       // nothing runs any more
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
    // On the connection's thread.
    std::function<void()> on_gone;
    bool is_over = false;
    std::optional<LoopWait> timer;  // of After
    // Any.
    std::atomic<bool> gone = false;
    std::atomic<std::size_t> buffered_bytes = 0;
  };
  const std::shared_ptr<Watch>& watch() const { return watch_; }

 private:
  // On the connection's thread; at once if it is this one, of a loop. Those of a server with
  // workers take turns in the order in which they were called, whoever did.
  template <typename Work>
  void Enter(Work work);

  std::shared_ptr<HttpConnection> connection_;
  std::shared_ptr<ServerShared> shared_;
  // Shared with the connection.
  std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
  const bool chunked_;
  std::atomic<std::size_t> largest_part_ = 0;  // that Write was given
  std::atomic<bool> begun_ = false;
  std::atomic<bool> ended_ = false;
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  static void Begin(const std::shared_ptr<ServerShared>& shared, LoopSocket socket);
  HttpConnection(std::shared_ptr<ServerShared> shared, LoopSocket socket);
  ~HttpConnection();

  // For the server, from any thread.
  void CloseSoon();

  // For an exchange, on the connection's thread; `watch` says which. None calls anybody before it
  // returns: what is put behind what is pending is written, all in one, when the thread is done
  // with what it is at. Pending is null where nobody hears it any more.
  std::string* Pending(const std::shared_ptr<ServedExchange::Watch>& watch);
  void SendSoon(bool is_last, bool keep_alive);
  void DropSoon(const std::shared_ptr<ServedExchange::Watch>& watch);

  LoopExecutor executor() { return stream_.get_executor(); }
  // Of the request that is being answered; set before its service runs.
  bool keeps_alive() const { return keep_alive_; }
  bool is_closed() const { return is_closed_; }
  bool is_head() const { return is_head_; }

  void OnDeadline() { Close(); }

 private:
  enum class Stage : std::uint8_t {
    kHead,  // of a request, which may not have begun
    kBody,  // whose length is known
    kChunks,
    kAnswer,  // `watch_` is not null
    kEnd,     // what still comes is dropped
  };

  void Handshake();
  void AwaitRequest();
  void Read();
  void OnRead(boost::system::error_code error, std::size_t bytes);
  void OnWatched(boost::system::error_code error);
  void WatchClient();
  void Proceed();
  bool Parse();
  void ReadHead();
  void OnHead();
  void ReadBody();
  void ReadChunks();
  void Dispatch();
  void Flush();
  void OnWritten();
  void Refuse(int status, std::string_view message);
  void FinishExchange();
  void Linger();
  void DropWhatComes();
  void Close();

  std::shared_ptr<ServerShared> shared_;
  ConnectionStream stream_;
  LazyDeadline<HttpConnection> deadline_;
  beast::flat_buffer buffer_;
  HttpRequest request_;  // as far as it has come
  std::optional<RequestParser> parser_;
  std::size_t body_bytes_ = 0;  // of it that are there, in kBody
  std::string peer_;
  std::shared_ptr<ServedExchange::Watch> watch_;  // of the exchange in progress, shared with it
  std::string pending_;                           // to be written next
  std::string writing_;                           // being written, or kept for what comes next
  Stage stage_ = Stage::kHead;
  bool is_reading_ = false;
  bool is_writing_ = false;
  bool is_flush_due_ = false;
  bool is_last_ = false;        // no more will come for this exchange
  bool wants_request_ = false;  // once the read that is cancelled has ended
  bool keep_alive_ = true;
  bool is_head_ = false;
  bool is_closed_ = false;
};

// Status line and headers. `length`: of the body; none: chunked, or until the connection closes.
void AppendHead(const HttpResponse& response, std::optional<std::size_t> length, bool chunked,
                bool keep_alive, std::string& out);

}  // namespace internal
}  // namespace switchyard::net
