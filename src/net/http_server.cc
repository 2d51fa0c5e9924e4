#include "net/http_server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "net/internal/http_connection.h"

namespace switchyard::net {
namespace {

using base::ErrorCode;
using base::Fail;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<Tcp, internal::LoopExecutor>;

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

base::Result<Acceptor> Listen(asio::io_context& io, Tcp::endpoint endpoint, bool shares_port) {
  Acceptor acceptor(io);
  error_code error;
  (void)acceptor.open(endpoint.protocol(), error);
  if (!error) (void)acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error && shares_port) (void)acceptor.set_option(ReusePort(true), error);
  if (!error && endpoint.address().is_v6()) {
    const bool every = endpoint.address().is_unspecified();
    (void)acceptor.set_option(asio::ip::v6_only(!every), error);
  }
  if (!error) (void)acceptor.bind(endpoint, error);
  if (!error) (void)acceptor.listen(Acceptor::max_listen_connections, error);
  if (error) {
    return Fail(ErrorCode::kUnavailable,
                "cannot listen on {} port {}: {}; choose another address or port",
                endpoint.address().to_string(), endpoint.port(), error.message());
  }
  return acceptor;
}

class AsioHttpServer final : public HttpServer {
 public:
  AsioHttpServer(HttpServerOptions options, HttpService service)
      : shared_(std::make_shared<internal::ServerShared>(std::move(options), std::move(service))) {}
  ~AsioHttpServer() override { Stop(); }

  base::Status Listen() {
    const HttpServerOptions& options = shared_->options;
    error_code error;
    Tcp::resolver resolver(shared_->io);
    const auto found =
        resolver.resolve(options.host, std::to_string(options.port), Tcp::resolver::passive, error);
    if (error || found.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "cannot resolve the host '{}': {}", options.host,
                  error.message());
    }
    port_ = options.port;
    base::Status last;
    for (const auto& entry : found) {
      auto acceptor = net::Listen(
          shared_->io, Tcp::endpoint(entry.endpoint().address(), port_), options.shares_port);
      if (!acceptor) {
        last = std::unexpected(std::move(acceptor.error()));
        continue;
      }
      port_ = acceptor->local_endpoint(error).port();
      doors_.push_back(std::make_shared<Door>(std::move(*acceptor)));
    }
    if (doors_.empty()) return last;
    return {};
  }

  void Run() {
    for (const auto& door : doors_) {
      asio::post(door->acceptor.get_executor(), [this, door] { Accept(door); });
    }
    if (shared_->options.loop != nullptr) return;
    for (const auto& io : shared_->threads->ios) {
      threads_.emplace_back([&context = io->context] { context.run(); });
    }
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return shared_->connections.load(); }

  void Stop() override {
    if (stopped_.exchange(true)) return;
    for (const auto& door : doors_) {
      asio::post(door->acceptor.get_executor(), [door] {
        error_code ignored;
        (void)door->acceptor.close(ignored);
        door->retry.cancel();
      });
    }
    shared_->CloseAll();
    if (shared_->options.loop != nullptr) return LeaveLoop();
    shared_->threads->workers.join();  // what came meanwhile finds its client gone
    shared_->CloseAll();
    for (const auto& io : shared_->threads->ios) io->work.reset();
    for (std::thread& thread : threads_) thread.join();
    shared_->stopped = true;
    // What was posted since; a responder that comes later still finds `stopped`.
    for (const auto& io : shared_->threads->ios) {
      io->context.restart();
      io->context.poll();
    }
  }

 private:
  // The loop goes on with others. Every connection ends within the time that an answer may take to
  // be read.
  void LeaveLoop() {
    bool is_over = false;
    while (!is_over) {
      shared_->options.loop->Run([&] { is_over = shared_->AllClosed(); });
      if (!is_over) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    shared_->stopped = true;
  }

  // One address. Used on its acceptor's thread.
  struct Door {
    explicit Door(Acceptor listening)
        : acceptor(std::move(listening)), retry(acceptor.get_executor()) {}
    Acceptor acceptor;
    internal::LoopWait retry;
  };

  // A door that is open has its server.
  void Accept(const std::shared_ptr<Door>& door) {
    door->acceptor.async_accept(shared_->NextIo(),
                                [this, door](error_code error, internal::LoopSocket socket) {
                                  if (!door->acceptor.is_open()) return;
                                  if (error) return AcceptLater(door);
                                  internal::HttpConnection::Begin(shared_, std::move(socket));
                                  Accept(door);
                                });
  }

  // Mostly too many open files; they become fewer.
  void AcceptLater(const std::shared_ptr<Door>& door) {
    door->retry.expires_after(std::chrono::milliseconds(50));
    door->retry.async_wait([this, door](error_code error) {
      if (!error && door->acceptor.is_open()) Accept(door);
    });
  }

  std::shared_ptr<internal::ServerShared> shared_;  // with connections and responders
  std::vector<std::shared_ptr<Door>> doors_;  // with their handlers
  std::vector<std::thread> threads_;
  std::atomic<bool> stopped_ = false;
  std::uint16_t port_ = 0;
};

}  // namespace

std::string_view HttpRequest::Path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

base::Result<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options,
                                                            HttpService service) {
  try {
    auto server = std::make_unique<AsioHttpServer>(std::move(options), std::move(service));
    SWITCHYARD_RETURN_IF_ERROR(server->Listen());
    server->Run();
    return server;
  } catch (const std::exception& failure) {
    return Fail(ErrorCode::kInternal, "the HTTP server cannot start: {}", failure.what());
  }
}

}  // namespace switchyard::net
