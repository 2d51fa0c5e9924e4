#include "net/internal/http_connection.h"

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <ctime>

#include "net/internal/tls_context.h"

namespace switchyard::net::internal {
namespace {

using boost::system::error_code;
namespace http = beast::http;

// Pipelined requests that are read ahead, at most.
constexpr std::size_t kReadAheadBytes = 64 << 10;
// How long a refused client may still be sending before it is cut off.
constexpr std::chrono::milliseconds kLinger{2'000};

std::string DateNow() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

std::string ChunkOf(std::string_view part) {
  return fmt::format("{:x}\r\n{}\r\n", part.size(), part);
}

int StatusOf(const error_code& error) {
  if (error == http::error::body_limit) return 413;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::bad_version) return 505;
  return 400;
}

bool IsProtocolFault(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

void Serve(const ServerShared& shared, HttpRequest request,
           std::shared_ptr<ServedExchange> exchange) {
  const auto responder = exchange;
  try {
    shared.service(std::move(request), std::move(exchange));
  } catch (const std::exception& failure) {
    responder->Respond({.status = 500, .content_type = "text/plain", .body = failure.what()});
  }
}

}  // namespace

std::string HeadText(const HttpResponse& response, std::optional<std::size_t> length, bool chunked,
                     bool keep_alive) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  std::string head =
      fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nServer: switchyard\r\n", response.status,
                  std::string_view(reason.data(), reason.size()), DateNow());
  if (!response.content_type.empty()) {
    head += fmt::format("Content-Type: {}\r\n", response.content_type);
  }
  for (const auto& [name, value] : response.headers) {
    if (IsHeaderText(name) && IsHeaderText(value)) head += fmt::format("{}: {}\r\n", name, value);
  }
  if (length) head += fmt::format("Content-Length: {}\r\n", *length);
  if (!length && chunked) head += "Transfer-Encoding: chunked\r\n";
  head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

std::shared_ptr<asio::ssl::context> ServerShared::Tls() const {
  return options.tls == nullptr ? nullptr
                                : std::static_pointer_cast<TlsContext>(options.tls)->current();
}

void ServerShared::CloseAll() {
  // Held beyond the lock, which a connection's destructor takes.
  std::vector<std::shared_ptr<HttpConnection>> held;
  const std::lock_guard lock(mutex);
  closing = true;
  for (const auto& [address, weak] : open) {
    held.push_back(weak.lock());
    if (held.back()) held.back()->CloseSoon();
  }
}

bool ServerShared::AllClosed() {
  std::vector<std::shared_ptr<HttpConnection>> held;
  const std::lock_guard lock(mutex);
  for (const auto& [address, weak] : open) held.push_back(weak.lock());
  return std::ranges::all_of(held, [](const auto& one) { return !one || one->is_closed(); });
}

ServedExchange::~ServedExchange() {
  if (!ended_) Respond({.status = 500, .content_type = "text/plain", .body = "no answer\n"});
}

void ServedExchange::Post(std::function<void()> work) {
  if (shared_->stopped) return;
  asio::post(connection_->executor(), std::move(work));
}

void ServedExchange::Respond(HttpResponse response) {
  if (ended_.exchange(true)) return;
  if (begun_) {  // a stream can't change its mind
    return Post([connection = connection_, watch = watch_] { connection->Drop(watch); });
  }
  Post([connection = connection_, watch = watch_, response = std::move(response)] {
    const bool keep = connection->keeps_alive();
    std::string bytes = HeadText(response, response.body.size(), false, keep);
    if (!connection->is_head()) bytes += response.body;
    connection->Send(watch, std::move(bytes), true, keep);
  });
}

void ServedExchange::BeginStream(HttpResponse head) {
  if (ended_ || begun_.exchange(true)) return;
  Post([connection = connection_, watch = watch_, chunked = chunked_, head = std::move(head)] {
    const bool keep = connection->keeps_alive() && chunked;
    std::string bytes = HeadText(head, std::nullopt, chunked, keep);
    if (!head.body.empty()) bytes += chunked ? ChunkOf(head.body) : head.body;
    connection->Send(watch, std::move(bytes), false, keep);
  });
}

void ServedExchange::Write(std::string part) {
  if (part.empty() || !begun_ || ended_ || watch_->gone) return;
  std::string bytes = chunked_ ? ChunkOf(part) : std::move(part);
  // The client's debt is counted here, so that no more than this is ever held for it.
  const std::size_t size = bytes.size();
  if (watch_->buffered_bytes.fetch_add(size) + size > shared_->options.stream_buffer_bytes) {
    return Abort();
  }
  Post([connection = connection_, watch = watch_, bytes = std::move(bytes)]() mutable {
    connection->Send(watch, std::move(bytes), false, connection->keeps_alive());
  });
}

void ServedExchange::EndStream() {
  if (!begun_ || ended_.exchange(true)) return;
  Post([connection = connection_, watch = watch_, chunked = chunked_] {
    connection->Send(watch, chunked ? "0\r\n\r\n" : "", true, connection->keeps_alive() && chunked);
  });
}

void ServedExchange::Abort() {
  ended_ = true;
  Post([connection = connection_, watch = watch_] { connection->Drop(watch); });
}

void ServedExchange::After(std::chrono::milliseconds time, std::function<void()> work) {
  Post([executor = connection_->executor(), watch = watch_, time, work = std::move(work)] {
    if (watch->is_over || watch->gone) return;
    watch->timer.emplace(executor, time);
    watch->timer->async_wait([watch, work](error_code error) {
      if (!error && !watch->is_over && !watch->gone) work();
    });
  });
}

void ServedExchange::OnGone(std::function<void()> on_gone) {
  Post([watch = watch_, on_gone = std::move(on_gone)] {
    if (watch->gone) return on_gone();
    if (!watch->is_over) watch->on_gone = on_gone;
  });
}

void HttpConnection::Begin(const std::shared_ptr<ServerShared>& shared, Socket socket) {
  auto connection = std::make_shared<HttpConnection>(shared, std::move(socket));
  {
    const std::lock_guard lock(shared->mutex);
    if (shared->closing) return;
    shared->open.emplace(connection.get(), connection);
  }
  asio::post(connection->executor(), [connection, shared] {
    error_code ignored;
    Socket& client = connection->stream_.socket();
    (void)client.set_option(asio::ip::tcp::no_delay(true), ignored);
    const auto peer = client.remote_endpoint(ignored);
    const std::string host = peer.address().to_string(ignored);
    connection->peer_ = peer.address().is_v6() ? fmt::format("[{}]:{}", host, peer.port())
                                               : fmt::format("{}:{}", host, peer.port());
    const bool is_full = shared->connections > shared->options.max_connections;
    if (connection->stream_.is_encrypted()) {
      return is_full ? connection->Close() : connection->Handshake();
    }
    if (is_full) return connection->Refuse(503, "too many connections; try again later");
    connection->AwaitRequest();
  });
}

HttpConnection::HttpConnection(std::shared_ptr<ServerShared> shared, Socket socket)
    : shared_(std::move(shared)),
      stream_(std::move(socket), shared_->Tls()),
      deadline_(stream_.get_executor()) {
  ++shared_->connections;
}

HttpConnection::~HttpConnection() {
  --shared_->connections;
  const std::lock_guard lock(shared_->mutex);
  shared_->open.erase(this);
}

void HttpConnection::CloseSoon() {
  asio::post(executor(), [self = shared_from_this()] {
    if (self->is_lingering_) return;  // not for long
    if (!self->watch_ || !self->is_last_) return self->Close();
    // All of an answer is there: it is still written, and the client has it before the end.
    self->keep_alive_ = false;
    if (self->is_writing_) self->SetDeadline(kLinger);
  });
}

void HttpConnection::SetDeadline(std::chrono::milliseconds after) {
  const std::uint64_t id = ++deadline_id_;
  deadline_.expires_after(after);
  deadline_.async_wait([weak = weak_from_this(), id](error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->deadline_id_ != id) return;
    self->Close();
  });
}

void HttpConnection::ClearDeadline() {
  ++deadline_id_;
  deadline_.cancel();
}

// Many may be at it at once; a slow one holds up nobody.
void HttpConnection::Handshake() {
  SetDeadline(shared_->options.header_timeout);
  stream_.async_handshake(ConnectionStream::Side::server,
                          [self = shared_from_this()](error_code error) {
                            if (error) return self->Close();
                            self->AwaitRequest();
                          });
}

void HttpConnection::AwaitRequest() {
  if (is_closed_) return;
  if (buffer_.size() > 0) return ReadHeader();
  SetDeadline(shared_->options.idle_timeout);
  stream_.async_read_some(buffer_.prepare(4096),
                          [self = shared_from_this()](error_code error, std::size_t bytes) {
                            if (error) return self->Close();
                            self->buffer_.commit(bytes);
                            self->ReadHeader();
                          });
}

void HttpConnection::ReadHeader() {
  SetDeadline(shared_->options.header_timeout);
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(shared_->options.header_limit_bytes));
  parser_->body_limit(shared_->options.body_limit_bytes);
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, std::size_t) { self->OnHeader(error); });
}

void HttpConnection::OnHeader(error_code error) {
  if (error && !IsProtocolFault(error)) return Close();
  if (error) return Refuse(StatusOf(error), error.message());
  const auto expect = parser_->get().find(http::field::expect);
  if (expect != parser_->get().end() && !parser_->is_done()) {
    writing_ = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(writing_),
                      [self = shared_from_this()](error_code failed, std::size_t) {
                        if (failed) return self->Close();
                        self->ReadBody();
                      });
    return;
  }
  ReadBody();
}

void HttpConnection::ReadBody() {
  SetDeadline(shared_->options.body_timeout);
  http::async_read(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, std::size_t) { self->OnBody(error); });
}

void HttpConnection::OnBody(error_code error) {
  if (error && !IsProtocolFault(error)) return Close();
  if (error) return Refuse(StatusOf(error), error.message());
  ClearDeadline();
  Dispatch();
}

void HttpConnection::Dispatch() {
  auto message = parser_->release();
  parser_.reset();
  keep_alive_ = message.keep_alive();
  is_head_ = message.method() == http::verb::head;
  is_last_ = false;
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(message.body());
  request.peer = peer_;
  auto exchange =
      std::make_shared<ServedExchange>(shared_from_this(), shared_, message.version() >= 11);
  watch_ = exchange->watch();
  WatchClient();
  if (shared_->threads == nullptr) return Serve(*shared_, std::move(request), std::move(exchange));
  asio::post(shared_->threads->workers, [shared = shared_, request = std::move(request),
                                         exchange = std::move(exchange)]() mutable {
    Serve(*shared, std::move(request), std::move(exchange));
  });
}

void HttpConnection::WatchClient() {
  if (is_closed_ || is_watching_) return;
  is_watching_ = true;
  if (buffer_.size() >= kReadAheadBytes) {
    // Nothing more is read; only a broken connection still shows.
    stream_.socket().async_wait(Socket::wait_error, [self = shared_from_this()](error_code error) {
      self->OnWatched(error ? error : error_code(asio::error::eof), 0);
    });
    return;
  }
  stream_.async_read_some(buffer_.prepare(4096),
                          [self = shared_from_this()](error_code error, std::size_t bytes) {
                            self->OnWatched(error, bytes);
                          });
}

void HttpConnection::OnWatched(error_code error, std::size_t bytes) {
  is_watching_ = false;
  if (is_closed_) return;
  buffer_.commit(bytes);
  if (error == asio::error::eof && is_last_) {
    keep_alive_ = false;  // it will send no more, and may still read the rest
    return;
  }
  if (error && error != asio::error::operation_aborted) return Close();
  if (wants_request_) {
    wants_request_ = false;
    return AwaitRequest();
  }
  if (watch_) WatchClient();
}

void HttpConnection::Send(const std::shared_ptr<ServedExchange::Watch>& watch, std::string bytes,
                          bool is_last, bool keep_alive) {
  if (is_closed_ || watch != watch_) return;
  pending_ += bytes;
  is_last_ = is_last;
  keep_alive_ = keep_alive;
  if (!is_writing_) Flush();
}

void HttpConnection::Drop(const std::shared_ptr<ServedExchange::Watch>& watch) {
  if (watch == watch_) Close();
}

void HttpConnection::Flush() {
  if (pending_.empty()) {
    if (is_last_) FinishExchange();
    return;
  }
  writing_ = std::exchange(pending_, {});
  is_writing_ = true;
  SetDeadline(shared_->options.write_timeout);
  asio::async_write(
      stream_, asio::buffer(writing_),
      [self = shared_from_this()](error_code error, std::size_t) { self->OnWritten(error); });
}

void HttpConnection::OnWritten(error_code error) {
  is_writing_ = false;
  if (is_closed_) return;
  ClearDeadline();
  if (error) return Close();
  if (watch_) {
    // Heads are not counted when they are put in, so the debt may be less than was written.
    auto& debt = watch_->buffered_bytes;
    std::size_t before = debt.load();
    while (!debt.compare_exchange_weak(before, before - std::min(before, writing_.size()))) {
    }
  }
  Flush();
}

void HttpConnection::FinishExchange() {
  watch_->is_over = true;
  watch_->timer.reset();
  watch_->on_gone = nullptr;  // which mostly holds the responder, and so the connection
  watch_.reset();
  is_last_ = false;
  if (!keep_alive_) return Linger();
  if (!is_watching_) return AwaitRequest();
  // The read that watches the client goes on and finds the next request, unless some of that has
  // come already.
  wants_request_ = true;
  SetDeadline(shared_->options.idle_timeout);
  if (buffer_.size() == 0) return;
  error_code ignored;
  (void)stream_.socket().cancel(ignored);
}

void HttpConnection::Refuse(int status, std::string_view message) {
  HttpResponse response{.status = status, .content_type = "text/plain"};
  if (shared_->options.error_body) {
    response.content_type = "application/json";
    response.body = shared_->options.error_body(status, message);
  } else {
    response.body = std::string(message) + "\n";
  }
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  writing_ = HeadText(response, response.body.size(), false, false) + response.body;
  SetDeadline(shared_->options.write_timeout);
  asio::async_write(stream_, asio::buffer(writing_),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      if (error) return self->Close();
                      self->Linger();
                    });
}

// A socket that is closed with bytes unread resets the connection, and the client may lose the
// answer: so what it still sends is read and dropped for a while.
void HttpConnection::Linger() {
  if (is_closed_) return;
  is_lingering_ = true;
  if (!stream_.is_encrypted()) return DropWhatComes();
  // First the farewell of TLS, so that the client knows that it has everything.
  SetDeadline(kLinger);
  error_code ignored;
  if (is_watching_) (void)stream_.socket().cancel(ignored);
  asio::post(executor(), [self = shared_from_this()] {
    if (self->is_closed_) return;
    self->stream_.async_shutdown([self](error_code) {
      if (!self->is_closed_) self->DropWhatComes();
    });
  });
}

void HttpConnection::DropWhatComes() {
  Socket& socket = stream_.socket();
  error_code ignored;
  (void)socket.shutdown(Socket::shutdown_send, ignored);
  SetDeadline(kLinger);
  if (is_watching_) (void)socket.cancel(ignored);
  struct Drain {
    static void Next(const std::shared_ptr<HttpConnection>& self) {
      self->buffer_.clear();
      self->stream_.socket().async_read_some(
          self->buffer_.prepare(16384), [self](error_code error, std::size_t) {
            if (error == asio::error::operation_aborted && !self->is_closed_) {
              return Next(self);
            }
            if (error) return self->Close();
            Next(self);
          });
    }
  };
  asio::post(executor(), [self = shared_from_this()] {
    if (!self->is_closed_) Drain::Next(self);
  });
}

void HttpConnection::Close() {
  if (is_closed_) return;
  is_closed_ = true;
  ClearDeadline();
  error_code ignored;
  (void)stream_.socket().close(ignored);
  if (!watch_) return;
  const auto watch = std::exchange(watch_, nullptr);
  watch->gone = true;
  watch->timer.reset();
  if (watch->on_gone) std::exchange(watch->on_gone, nullptr)();
}

}  // namespace switchyard::net::internal
