#include "net/internal/http_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <ctime>

#include "net/internal/tls_context.h"

namespace switchyard::net::internal {
namespace {

using namespace std::string_view_literals;
using boost::system::error_code;
namespace http = beast::http;

// Pipelined requests that are kept, at most.
constexpr std::size_t kReadAheadBytes = 64 << 10;
// How long a refused client may still be sending before it is cut off.
constexpr std::chrono::milliseconds kLinger{2'000};

// An idle connection keeps a buffer of at most that size.
constexpr std::size_t kKeptBytes = 8 << 10;

// Read at once of what is not a body, and of one.
constexpr std::size_t kRequestReadBytes = 4096;
constexpr std::size_t kReadBodyBytes = 256 << 10;

// Written anew each second.
std::string_view DateNow() {
  thread_local std::time_t written = 0;
  thread_local std::array<char, 40> text;
  thread_local std::size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != written) {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    written = now;
  }
  return {text.data(), size};
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

void AppendHead(const HttpResponse& response, std::optional<std::size_t> length, bool chunked,
                bool keep_alive, std::string& out) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  const auto field = [&out](std::string_view name, std::string_view value) {
    out.append(name).append(": "sv).append(value).append("\r\n"sv);
  };
  const fmt::format_int status(response.status);
  out.append("HTTP/1.1 "sv).append(status.data(), status.size()).append(" "sv);
  out.append(reason.data(), reason.size()).append("\r\n"sv);
  field("Date", DateNow());
  field("Server", "switchyard");
  if (!response.content_type.empty()) field("Content-Type", response.content_type);
  for (const auto& [name, value] : response.headers) {
    if (IsHeaderText(name) && IsHeaderText(value)) field(name, value);
  }
  if (length) field("Content-Length", fmt::format_int(*length).c_str());
  if (!length && chunked) field("Transfer-Encoding", "chunked");
  field("Connection", keep_alive ? "keep-alive" : "close");
  out.append("\r\n"sv);
}

Threads::Threads(const HttpServerOptions& options)
    : workers(std::max<std::size_t>(1, options.worker_threads)) {
  for (std::size_t i = 0; i < std::max<std::size_t>(1, options.io_threads); ++i) {
    ios.push_back(std::make_unique<Io>());
  }
}

asio::io_context& ServerShared::NextIo() {
  return threads == nullptr ? io : threads->ios[begun++ % threads->ios.size()]->context;
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

template <typename Work>
void ServedExchange::Enter(Work work) {
  if (shared_->stopped) return;
  if (shared_->threads != nullptr) return asio::post(connection_->executor(), std::move(work));
  asio::dispatch(connection_->executor(), std::move(work));
}

void ServedExchange::Respond(HttpResponse response) {
  if (ended_.exchange(true)) return;
  if (begun_) {  // a stream can't change its mind
    return Enter([connection = connection_, watch = watch_] { connection->DropSoon(watch); });
  }
  Enter([connection = connection_, watch = watch_, response = std::move(response)] {
    std::string* const out = connection->Pending(watch);
    if (out == nullptr) return;
    const bool keep = connection->keeps_alive();
    AppendHead(response, response.body.size(), false, keep, *out);
    if (!connection->is_head()) out->append(response.body);
    connection->SendSoon(true, keep);
  });
}

void ServedExchange::BeginStream(HttpResponse head) {
  if (ended_ || begun_.exchange(true)) return;
  Enter([connection = connection_, watch = watch_, chunked = chunked_, head = std::move(head)] {
    std::string* const out = connection->Pending(watch);
    if (out == nullptr) return;
    const bool keep = connection->keeps_alive() && chunked;
    AppendHead(head, std::nullopt, chunked, keep, *out);
    if (!head.body.empty()) out->append(chunked ? ChunkOf(head.body) : head.body);
    connection->SendSoon(false, keep);
  });
}

void ServedExchange::Write(std::string part) {
  if (part.empty() || !begun_ || ended_ || watch_->gone) return;
  std::string bytes = chunked_ ? ChunkOf(part) : std::move(part);
  // The client's debt is counted here, so that no more than this is ever held for it, besides one
  // part: however large, it says nothing of how fast the client reads.
  const std::size_t size = bytes.size();
  if (size > largest_part_) largest_part_ = size;
  const std::size_t most = shared_->options.stream_buffer_bytes + largest_part_;
  if (watch_->buffered_bytes.fetch_add(size) + size > most) return Abort();
  Enter([connection = connection_, watch = watch_, bytes = std::move(bytes)]() mutable {
    std::string* const out = connection->Pending(watch);
    if (out == nullptr) return;
    // Large parts are moved; of small ones many come.
    if (out->empty() && bytes.size() > kKeptBytes) {
      *out = std::move(bytes);
    } else {
      out->append(bytes);
    }
    connection->SendSoon(false, connection->keeps_alive());
  });
}

void ServedExchange::EndStream() {
  if (!begun_ || ended_.exchange(true)) return;
  Enter([connection = connection_, watch = watch_, chunked = chunked_] {
    std::string* const out = connection->Pending(watch);
    if (out == nullptr) return;
    if (chunked) out->append("0\r\n\r\n"sv);
    connection->SendSoon(true, connection->keeps_alive() && chunked);
  });
}

void ServedExchange::Abort() {
  ended_ = true;
  Enter([connection = connection_, watch = watch_] { connection->DropSoon(watch); });
}

void ServedExchange::After(std::chrono::milliseconds time, std::function<void()> work) {
  Enter([executor = connection_->executor(), watch = watch_, time, work = std::move(work)] {
    if (watch->is_over || watch->gone) return;
    watch->timer.emplace(executor, time);
    watch->timer->async_wait([watch, work](error_code error) {
      if (!error && !watch->is_over && !watch->gone) work();
    });
  });
}

void ServedExchange::OnGone(std::function<void()> on_gone) {
  Enter(
      [executor = connection_->executor(), watch = watch_, on_gone = std::move(on_gone)]() mutable {
        if (watch->gone) return asio::post(executor, std::move(on_gone));
        if (!watch->is_over) watch->on_gone = std::move(on_gone);
      });
}

void HttpConnection::Begin(const std::shared_ptr<ServerShared>& shared, LoopSocket socket) {
  auto connection = std::make_shared<HttpConnection>(shared, std::move(socket));
  {
    const std::lock_guard lock(shared->mutex);
    if (shared->closing) return;
    shared->open.emplace(connection.get(), connection);
  }
  asio::post(connection->executor(), [connection, shared] {
    error_code ignored;
    LoopSocket& client = connection->stream_.socket();
    (void)client.non_blocking(true, ignored);
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

HttpConnection::HttpConnection(std::shared_ptr<ServerShared> shared, LoopSocket socket)
    : shared_(std::move(shared)),
      stream_(std::move(socket), shared_->Tls()),
      deadline_(stream_.get_executor(), *this) {
  ++shared_->connections;
}

HttpConnection::~HttpConnection() {
  --shared_->connections;
  const std::lock_guard lock(shared_->mutex);
  shared_->open.erase(this);
}

void HttpConnection::CloseSoon() {
  asio::post(executor(), [self = shared_from_this()] {
    if (self->stage_ == Stage::kEnd) return;  // not for long
    if (!self->watch_ || !self->is_last_) return self->Close();
    // All of an answer is there: it is still written, and the client has it before the end.
    self->keep_alive_ = false;
    if (self->is_writing_) self->deadline_.Set(kLinger);
  });
}

// Many may be at it at once; a slow one holds up nobody.
void HttpConnection::Handshake() {
  deadline_.Set(shared_->options.header_timeout);
  stream_.async_handshake(ConnectionStream::Side::server,
                          [self = shared_from_this()](error_code error) {
                            if (error) return self->Close();
                            self->AwaitRequest();
                          });
}

void HttpConnection::AwaitRequest() {
  if (is_closed_) return;
  stage_ = Stage::kHead;
  if (buffer_.size() > 0 && !is_reading_) return Proceed();
  deadline_.Set(shared_->options.idle_timeout);
  if (!is_reading_) return Read();
  if (buffer_.size() == 0) return;  // the read that watched the client finds the next request
  // Some of that has come already, and must not move while more is read behind it.
  wants_request_ = true;
  error_code ignored;
  (void)stream_.socket().cancel(ignored);
}

void HttpConnection::Read() {
  is_reading_ = true;
  asio::mutable_buffer target;
  if (stage_ == Stage::kBody) {
    target = asio::buffer(request_.body) + body_bytes_;
    target = asio::buffer(target, kReadBodyBytes);
  } else {
    target = buffer_.prepare(stage_ == Stage::kChunks ? kReadAheadBytes : kRequestReadBytes);
  }
  stream_.async_read_some(target, [self = shared_from_this()](error_code error, std::size_t bytes) {
    self->OnRead(error, bytes);
  });
}

void HttpConnection::OnRead(error_code error, std::size_t bytes) {
  is_reading_ = false;
  if (is_closed_) return;
  if (stage_ == Stage::kBody) {
    body_bytes_ += bytes;
  } else {
    buffer_.commit(bytes);
  }
  if (stage_ == Stage::kAnswer) return OnWatched(error);
  const bool is_cancelled = error == asio::error::operation_aborted;
  if (is_cancelled && (stage_ == Stage::kEnd || std::exchange(wants_request_, false))) error = {};
  if (error) return Close();
  wants_request_ = false;
  if (stage_ != Stage::kEnd) Proceed();
}

void HttpConnection::OnWatched(error_code error) {
  if (error == asio::error::eof && is_last_) {
    keep_alive_ = false;  // it will send no more, and may still read the rest
    return;
  }
  if (error && error != asio::error::operation_aborted) return Close();
  WatchClient();
}

// A client's farewell comes behind all that it has sent, so only reading on shows that it went. One
// that pipelines more than is kept has this answer still, and no other: what it sent is dropped,
// and the connection ends.
void HttpConnection::WatchClient() {
  if (buffer_.size() >= kReadAheadBytes) {
    keep_alive_ = false;
    buffer_.clear();
  }
  Read();
}

// With what has come.
void HttpConnection::Proceed() {
  if (stage_ == Stage::kHead) return ReadHead();
  if (stage_ == Stage::kBody) return ReadBody();
  ReadChunks();
}

// Gives the parser what has come. False if the request was refused.
bool HttpConnection::Parse() {
  error_code error;
  buffer_.consume(parser_->put(buffer_.data(), error));
  if (error == http::error::need_more) {
    if (buffer_.size() <= shared_->options.header_limit_bytes) return true;
    // Beast bounds the head, but no line between chunks and not what follows the last.
    error = http::error::header_limit;
  }
  if (!error) return true;
  Refuse(StatusOf(error), error.message());
  return false;
}

void HttpConnection::ReadHead() {
  const bool is_new = !parser_;
  if (is_new) {
    request_ = {};
    parser_.emplace(request_);
    parser_->header_limit(static_cast<std::uint32_t>(shared_->options.header_limit_bytes));
    parser_->body_limit(shared_->options.body_limit_bytes);
  }
  if (!Parse()) return;
  if (parser_->is_header_done()) return OnHead();
  if (is_new) deadline_.Set(shared_->options.header_timeout);
  Read();
}

void HttpConnection::OnHead() {
  const std::uint64_t length = parser_->content_length().value_or(0);
  if (length > shared_->options.body_limit_bytes) {
    return Refuse(413, error_code(http::error::body_limit).message());
  }
  if (!parser_->chunked() && length == 0) return Dispatch();
  deadline_.Set(shared_->options.body_timeout);
  if (parser_->chunked()) {
    stage_ = Stage::kChunks;
    parser_->eager(true);
  } else {
    stage_ = Stage::kBody;
    // Not filled with zeros that are overwritten at once. (What libstdc++ 12 gives the function is
    // the capacity.)
    request_.body.resize_and_overwrite(length, [length](char*, std::size_t) { return length; });
    const std::size_t there = std::min<std::size_t>(buffer_.size(), length);
    body_bytes_ = asio::buffer_copy(asio::buffer(request_.body), buffer_.data(), there);
    buffer_.consume(there);
  }
  if (!parser_->expects_continue()) return Proceed();
  writing_ = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(writing_),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      if (error) return self->Close();
                      if (!self->is_closed_) self->Proceed();
                    });
}

void HttpConnection::ReadBody() {
  if (body_bytes_ < request_.body.size()) return Read();
  Dispatch();
}

void HttpConnection::ReadChunks() {
  if (!Parse()) return;
  if (!parser_->is_done()) return Read();
  Dispatch();
}

void HttpConnection::Dispatch() {
  deadline_.Clear();
  stage_ = Stage::kAnswer;
  keep_alive_ = parser_->keep_alive();
  is_head_ = request_.method == "HEAD";
  is_last_ = false;
  request_.peer = peer_;
  auto exchange =
      std::make_shared<ServedExchange>(shared_from_this(), shared_, parser_->is_version_1_1());
  parser_.reset();
  watch_ = exchange->watch();
  WatchClient();
  if (shared_->threads == nullptr) return Serve(*shared_, std::move(request_), std::move(exchange));
  asio::post(shared_->threads->workers, [shared = shared_, request = std::move(request_),
                                         exchange = std::move(exchange)]() mutable {
    Serve(*shared, std::move(request), std::move(exchange));
  });
}

std::string* HttpConnection::Pending(const std::shared_ptr<ServedExchange::Watch>& watch) {
  return is_closed_ || watch != watch_ ? nullptr : &pending_;
}

void HttpConnection::SendSoon(bool is_last, bool keep_alive) {
  is_last_ = is_last;
  keep_alive_ = keep_alive;
  if (is_writing_ || is_flush_due_) return;
  is_flush_due_ = true;
  asio::post(executor(), [self = shared_from_this()] {
    self->is_flush_due_ = false;
    if (!self->is_closed_ && !self->is_writing_) self->Flush();
  });
}

void HttpConnection::DropSoon(const std::shared_ptr<ServedExchange::Watch>& watch) {
  asio::post(executor(), [self = shared_from_this(), watch] {
    if (watch == self->watch_) self->Close();
  });
}

void HttpConnection::Flush() {
  if (pending_.empty()) {
    if (is_last_) FinishExchange();
    return;
  }
  writing_.clear();
  std::swap(writing_, pending_);
  error_code failed;
  const std::size_t written = stream_.WriteNow(asio::buffer(writing_), failed);
  if (failed) return Close();
  if (written == writing_.size()) return OnWritten();
  is_writing_ = true;
  deadline_.Set(shared_->options.write_timeout);
  asio::async_write(stream_, asio::buffer(writing_) + written,
                    [self = shared_from_this()](error_code error, std::size_t) {
                      self->is_writing_ = false;
                      if (self->is_closed_) return;
                      if (error) return self->Close();
                      self->deadline_.Clear();
                      self->OnWritten();
                    });
}

void HttpConnection::OnWritten() {
  // Heads are not counted when they are put in, so the debt may be less than was written.
  auto& debt = watch_->buffered_bytes;
  std::size_t before = debt.load();
  while (!debt.compare_exchange_weak(before, before - std::min(before, writing_.size()))) {
  }
  if (writing_.capacity() > kKeptBytes) writing_ = {};
  Flush();
}

void HttpConnection::FinishExchange() {
  const auto watch = std::exchange(watch_, nullptr);
  watch->is_over = true;
  watch->timer.reset();
  watch->on_gone = nullptr;  // which mostly holds the responder, and so the connection
  is_last_ = false;
  if (!keep_alive_) return Linger();
  AwaitRequest();
}

void HttpConnection::Refuse(int status, std::string_view message) {
  stage_ = Stage::kEnd;
  HttpResponse response{.status = status, .content_type = "text/plain"};
  if (shared_->options.error_body) {
    response.content_type = "application/json";
    response.body = shared_->options.error_body(status, message);
  } else {
    response.body = std::string(message) + "\n";
  }
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  writing_.clear();
  AppendHead(response, response.body.size(), false, false, writing_);
  writing_ += response.body;
  deadline_.Set(shared_->options.write_timeout);
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
  stage_ = Stage::kEnd;
  if (!stream_.is_encrypted()) return DropWhatComes();
  // First the farewell of TLS, so that the client knows that it has everything.
  deadline_.Set(kLinger);
  error_code ignored;
  if (is_reading_) (void)stream_.socket().cancel(ignored);
  asio::post(executor(), [self = shared_from_this()] {
    if (self->is_closed_) return;
    self->stream_.async_shutdown([self](error_code) {
      if (!self->is_closed_) self->DropWhatComes();
    });
  });
}

void HttpConnection::DropWhatComes() {
  LoopSocket& socket = stream_.socket();
  error_code ignored;
  (void)socket.shutdown(LoopSocket::shutdown_send, ignored);
  deadline_.Set(kLinger);
  if (is_reading_) (void)socket.cancel(ignored);
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
  deadline_.End();
  error_code ignored;
  (void)stream_.socket().close(ignored);
  if (!watch_) return;
  const auto watch = std::exchange(watch_, nullptr);
  watch->gone = true;
  watch->timer.reset();
  if (watch->on_gone) std::exchange(watch->on_gone, nullptr)();
}

}  // namespace switchyard::net::internal
