// The bytes of one connection, in the clear or under TLS: what Asio calls an asynchronous stream.
// Used on the thread of the loop that the socket is of.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "net/internal/loop_types.h"

namespace switchyard::net::internal {

class ConnectionStream {
 public:
  using Socket = LoopSocket;
  using executor_type = Socket::executor_type;  // Asio's spelling

  // `tls` is null for bytes in the clear.
  ConnectionStream(Socket socket, std::shared_ptr<boost::asio::ssl::context> tls)
      : socket_(std::move(socket)), context_(std::move(tls)) {
    if (context_ != nullptr) tls_.emplace(socket_, *context_);
  }
  ConnectionStream(const ConnectionStream&) = delete;
  ConnectionStream& operator=(const ConnectionStream&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  bool is_encrypted() const { return tls_.has_value(); }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) {
      tls_->async_read_some(buffers, std::forward<Handler>(handler));
    } else {
      socket_.async_read_some(buffers, std::forward<Handler>(handler));
    }
  }
  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) {
      tls_->async_write_some(buffers, std::forward<Handler>(handler));
    } else {
      socket_.async_write_some(buffers, std::forward<Handler>(handler));
    }
  }
  // As much as can be written without waiting: mostly all, and then nobody need be told later.
  // Nothing of an encrypted one, whose records are its own affair. The socket is in non-blocking
  // mode.
  template <typename Buffers>
  std::size_t WriteNow(const Buffers& buffers, boost::system::error_code& error) {
    if (tls_) return 0;
    const std::size_t written = socket_.write_some(buffers, error);
    if (error == boost::asio::error::would_block) error = {};
    return written;
  }

  // Of an encrypted one.
  using Side = boost::asio::ssl::stream_base::handshake_type;
  template <typename Handler>
  void async_handshake(Side side, Handler&& handler) {
    tls_->async_handshake(side, std::forward<Handler>(handler));
  }
  boost::asio::ssl::stream<Socket&>& tls() { return *tls_; }
  template <typename Handler>
  void async_shutdown(Handler&& handler) {
    tls_->async_shutdown(std::forward<Handler>(handler));
  }

 private:
  Socket socket_;
  std::shared_ptr<boost::asio::ssl::context> context_;  // with the identity and other connections
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace switchyard::net::internal
