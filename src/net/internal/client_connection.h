// One connection of the HTTP client: connects, carries one call after the other, and goes back to
// the pool in between. Everything on the loop's thread; operations in progress own it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/http_client.h"
#include "net/internal/connection_stream.h"
#include "net/internal/lazy_deadline.h"
#include "net/internal/response_parser.h"

namespace switchyard::net::internal {

class ClientConnection;

// What a listener threw.
base::Error ErrorOf(const std::exception& thrown);

// Who gave a connection its call.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // The answer is read. The connection may carry another call if `is_reusable`.
  virtual void OnDone(const std::shared_ptr<ClientConnection>& connection, bool is_reusable) = 0;
  virtual void OnBroken(CallFailure failure, bool has_answered) = 0;
};

class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  using Tcp = boost::asio::ip::tcp;

  // `tls` is null for a connection in the clear.
  ClientConnection(boost::asio::io_context& io, HttpOrigin origin,
                   std::shared_ptr<boost::asio::ssl::context> tls, std::size_t head_limit_bytes);

  // Connects first, if need be. `request`, `listener` and `owner` live until OnDone, OnBroken or
  // Close.
  void Carry(const CallRequest& request, CallListener& listener, ConnectionOwner& owner);
  // At once and without a word.
  void Close();

  // Has no call now. It closes itself when the server does so, or says what nobody asked for.
  void Rest();
  bool is_connected() const { return is_connected_; }
  const HttpOrigin& origin() const { return origin_; }
  std::chrono::steady_clock::time_point idle_since;  // the pool's

  void OnDeadline();

 private:
  void Resolve();
  void Connect(const Tcp::resolver::results_type& found);
  void OnConnected(boost::system::error_code error);
  void Handshake();
  void Begin();
  void AwaitHead();
  void TellHead();
  // An exception fails the call, unless the listener has cancelled it before.
  void Tell(const std::function<void(CallListener&)>& what);
  void Read();
  void OnRead(boost::system::error_code error, std::size_t bytes);
  bool Parse();
  void Finish();
  void Fail(CallFailure failure);
  void FailRead(boost::system::error_code error);
  void Await(std::chrono::milliseconds time);
  void WriteHead();

  const HttpOrigin origin_;
  const std::string authority_;
  const std::size_t head_limit_bytes_;
  ConnectionStream stream_;
  Tcp::resolver resolver_;
  LazyDeadline<ClientConnection> deadline_;
  boost::beast::flat_buffer buffer_;
  std::string head_text_;
  std::vector<boost::asio::const_buffer> unwritten_;
  std::optional<ResponseParser> parser_;

  // Of the call at hand; null: idle or closed.
  const CallRequest* request_ = nullptr;
  CallListener* listener_ = nullptr;
  ConnectionOwner* owner_ = nullptr;
  CallFailure::Stage stage_ = CallFailure::Stage::kConnect;
  bool is_connected_ = false;
  bool is_reading_ = false;
  bool is_writing_ = false;
  bool has_answered_ = false;  // some byte came
  bool is_closed_ = false;
};

}  // namespace switchyard::net::internal
