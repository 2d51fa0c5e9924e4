#include "net/internal/client_connection.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>

namespace switchyard::net::internal {
namespace {

using base::Error;
using base::ErrorCode;
using boost::system::error_code;
using Stage = CallFailure::Stage;
namespace asio = boost::asio;

constexpr std::size_t kResponseReadBytes = 16 << 10;

std::string_view StageText(Stage stage) {
  switch (stage) {
    case Stage::kConnect:
      return "could not be reached";
    case Stage::kHead:
      return "did not answer";
    case Stage::kBody:
      return "broke its answer off";
  }
  return "";
}

// What is wrong with the other side's certificate, and the time by which it is; empty: nothing.
std::string WhyNotTrusted(SSL* tls) {
  const long result = SSL_get_verify_result(tls);
  if (result == X509_V_OK) return {};
  const bool is_about_time =
      result == X509_V_ERR_CERT_HAS_EXPIRED || result == X509_V_ERR_CERT_NOT_YET_VALID;
  return fmt::format(
      ": {}{}", X509_verify_cert_error_string(result),
      is_about_time ? fmt::format("; here it is {:%FT%TZ}", fmt::gmtime(std::time(nullptr))) : "");
}

}  // namespace

Error ErrorOf(const std::exception& thrown) {
  return {ErrorCode::kInternal, fmt::format("its answer could not be taken in: {}", thrown.what())};
}

ClientConnection::ClientConnection(asio::io_context& io, HttpOrigin origin,
                                   std::shared_ptr<asio::ssl::context> tls,
                                   std::size_t head_limit_bytes)
    : origin_(std::move(origin)),
      authority_(origin_.Authority()),
      head_limit_bytes_(head_limit_bytes),
      stream_(LoopSocket(io), std::move(tls)),
      resolver_(io),
      deadline_(io.get_executor(), *this) {}

void ClientConnection::Carry(const CallRequest& request, CallListener& listener,
                             ConnectionOwner& owner) {
  request_ = &request;
  listener_ = &listener;
  owner_ = &owner;
  has_answered_ = false;
  if (is_connected_) return Begin();
  stage_ = Stage::kConnect;
  Await(request.times.connect);
  Resolve();
}

void ClientConnection::Resolve() {
  error_code error;
  const auto address = asio::ip::make_address(origin_.host, error);
  if (!error) {
    return Connect(Tcp::resolver::results_type::create(Tcp::endpoint(address, origin_.port),
                                                       origin_.host, std::to_string(origin_.port)));
  }
  resolver_.async_resolve(
      origin_.host, std::to_string(origin_.port),
      [self = shared_from_this()](error_code failed, const Tcp::resolver::results_type& found) {
        if (self->is_closed_) return;
        if (failed) return self->OnConnected(failed);
        self->Connect(found);
      });
}

void ClientConnection::Connect(const Tcp::resolver::results_type& found) {
  asio::async_connect(stream_.socket(), found,
                      [self = shared_from_this()](error_code error, const Tcp::endpoint&) {
                        if (!self->is_closed_) self->OnConnected(error);
                      });
}

void ClientConnection::OnConnected(error_code error) {
  if (error) return FailRead(error);
  error_code ignored;
  (void)stream_.socket().non_blocking(true, ignored);
  (void)stream_.socket().set_option(Tcp::no_delay(true), ignored);
  (void)stream_.socket().set_option(asio::socket_base::keep_alive(true), ignored);
  if (stream_.is_encrypted()) return Handshake();
  is_connected_ = true;
  Begin();
}

void ClientConnection::Handshake() {
  auto& tls = stream_.tls();
  error_code ignored;
  (void)asio::ip::make_address(origin_.host, ignored);
  // A name, not a number, chooses among the certificates that a server has (RFC 6066).
  if (ignored) {
    SSL_ctrl(tls.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(origin_.host.c_str()));
  }
  tls.set_verify_callback(asio::ssl::host_name_verification(origin_.host), ignored);
  stream_.async_handshake(ConnectionStream::Side::client,
                          [self = shared_from_this()](error_code error) {
                            if (self->is_closed_) return;
                            if (error) return self->FailRead(error);
                            self->is_connected_ = true;
                            self->Begin();
                          });
}

void ClientConnection::WriteHead() {
  std::size_t length = 0;
  for (const std::string_view piece : request_->body) length += piece.size();
  std::string& head = head_text_;
  head.clear();
  head.append(request_->method).append(" ").append(origin_.base_path).append(request_->target);
  head.append(" HTTP/1.1\r\nHost: ").append(authority_).append("\r\n");
  for (const auto& [name, value] : request_->headers) {
    if (!IsHeaderText(name) || !IsHeaderText(value)) continue;
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (length > 0 || request_->method == "POST") {
    head.append("Content-Length: ").append(fmt::format_int(length).c_str()).append("\r\n");
  }
  head.append("\r\n");
}

// The answer is read while the request is still being written: a server may refuse a large body
// before it has all of it.
void ClientConnection::Begin() {
  stage_ = Stage::kHead;
  AwaitHead();
  Await(request_->times.head);
  WriteHead();
  unwritten_.assign({asio::buffer(head_text_)});
  for (const std::string_view piece : request_->body) unwritten_.push_back(asio::buffer(piece));
  if (!is_reading_) Read();
  // What goes wrong with writing, the read will say, and maybe the server too.
  error_code ignored;
  std::size_t written = stream_.WriteNow(unwritten_, ignored);
  const auto rest = std::ranges::find_if(unwritten_, [&](asio::const_buffer& buffer) {
    const std::size_t of_it = std::min(written, buffer.size());
    buffer += of_it;
    written -= of_it;
    return buffer.size() > 0;
  });
  unwritten_.erase(unwritten_.begin(), rest);
  if (unwritten_.empty()) return;
  is_writing_ = true;
  asio::async_write(stream_, unwritten_,
                    [self = shared_from_this(), keeper = request_->keeper](
                        error_code, std::size_t) { self->is_writing_ = false; });
}

void ClientConnection::AwaitHead() {
  parser_.emplace([this](std::string_view body) {
    TellHead();
    Tell([body](CallListener& listener) { listener.OnBody(body); });
  });
  parser_->header_limit(static_cast<std::uint32_t>(head_limit_bytes_));
  parser_->skip(request_->method == "HEAD");
}

void ClientConnection::TellHead() {
  if (stage_ == Stage::kBody || listener_ == nullptr) return;
  stage_ = Stage::kBody;
  Tell([this](CallListener& listener) { listener.OnHead(std::move(parser_->head())); });
}

void ClientConnection::Tell(const std::function<void(CallListener&)>& what) {
  if (listener_ == nullptr) return;
  try {
    what(*listener_);
  } catch (const std::exception& thrown) {
    if (!is_closed_) Fail({stage_, false, ErrorOf(thrown)});
  }
}

void ClientConnection::Read() {
  is_reading_ = true;
  stream_.async_read_some(buffer_.prepare(kResponseReadBytes),
                          [self = shared_from_this()](error_code error, std::size_t bytes) {
                            self->is_reading_ = false;
                            if (!self->is_closed_) self->OnRead(error, bytes);
                          });
}

void ClientConnection::OnRead(error_code error, std::size_t bytes) {
  if (request_ == nullptr) return Close();  // it rested
  buffer_.commit(bytes);
  if (bytes > 0) {
    has_answered_ = true;
    if (!Parse()) return;
  }
  if (error) return FailRead(error);
  if (stage_ == Stage::kBody) Await(request_->times.silence);
  Read();
}

// False if the call is over. A listener may cancel it at any time.
bool ClientConnection::Parse() {
  while (buffer_.size() > 0) {
    error_code error;
    const std::size_t used = parser_->put(buffer_.data(), error);
    if (is_closed_) return false;
    buffer_.consume(used);
    if (error == boost::beast::http::error::need_more) {
      if (buffer_.size() <= head_limit_bytes_) break;
      // Beast bounds the head, but no line between chunks and not what follows the last.
      error = boost::beast::http::error::header_limit;
    }
    if (error) {
      Fail({stage_,
            false,
            {ErrorCode::kUnavailable,
             fmt::format("'{}' does not speak HTTP: {}", authority_, error.message())}});
      return false;
    }
    if (!parser_->is_header_done()) continue;
    if (stage_ == Stage::kHead && parser_->head().status / 100 == 1) {
      AwaitHead();  // what comes before an answer, such as 100 Continue
      continue;
    }
    TellHead();
    if (is_closed_) return false;
    if (parser_->is_done()) {
      Finish();
      return false;
    }
  }
  return true;
}

void ClientConnection::Finish() {
  const bool is_reusable = parser_->keep_alive() && !is_writing_ && buffer_.size() == 0;
  deadline_.Clear();
  request_ = nullptr;
  listener_ = nullptr;
  std::exchange(owner_, nullptr)->OnDone(shared_from_this(), is_reusable);
}

void ClientConnection::FailRead(error_code error) {
  // A body without a length ends with the connection.
  if (error == asio::error::eof && parser_ && parser_->is_header_done() && !parser_->is_done()) {
    error_code unfinished;
    parser_->put_eof(unfinished);
    if (!unfinished && parser_->is_done()) return Finish();
  }
  const bool is_untrusted = stream_.is_encrypted() && !is_connected_;
  Fail({stage_,
        false,
        {ErrorCode::kUnavailable,
         fmt::format("'{}' {}: {}{}", authority_, StageText(stage_), error.message(),
                     is_untrusted ? WhyNotTrusted(stream_.tls().native_handle()) : "")}});
}

void ClientConnection::Fail(CallFailure failure) {
  const auto self = shared_from_this();
  ConnectionOwner* const owner = owner_;
  const bool has_answered = has_answered_;
  Close();
  if (owner != nullptr) owner->OnBroken(std::move(failure), has_answered);
}

void ClientConnection::Close() {
  if (is_closed_) return;
  is_closed_ = true;
  is_connected_ = false;
  request_ = nullptr;
  listener_ = nullptr;
  owner_ = nullptr;
  resolver_.cancel();
  deadline_.End();
  error_code ignored;
  (void)stream_.socket().close(ignored);
}

void ClientConnection::Rest() {
  if (!is_reading_) Read();
}

void ClientConnection::Await(std::chrono::milliseconds time) {
  if (time.count() > 0) return deadline_.Set(time);
  deadline_.Clear();
}

void ClientConnection::OnDeadline() {
  if (is_closed_) return;
  Fail({stage_,
        true,
        {ErrorCode::kDeadlineExceeded,
         fmt::format("'{}' {} in time", authority_, StageText(stage_))}});
}

}  // namespace switchyard::net::internal
