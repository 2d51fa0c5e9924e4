#include "net/http_client.h"

#include <algorithm>
#include <unordered_map>

#include "net/internal/asio_loop.h"
#include "net/internal/client_connection.h"

namespace switchyard::net {
namespace {

using base::ErrorCode;
using base::Fail;
using internal::ClientConnection;
using Connection = std::shared_ptr<ClientConnection>;
namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;

base::Result<std::shared_ptr<ssl::context>> MakeContext(const std::string& ca_file) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  boost::system::error_code error;
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  (void)context->set_verify_mode(ssl::verify_peer, error);
  if (ca_file.empty()) {
    (void)context->set_default_verify_paths(error);
  } else if (context->load_verify_file(ca_file, error)) {
    return Fail(ErrorCode::kInvalidArgument, "'{}' cannot be used as authorities, in PEM: {}",
                ca_file, error.message());
  }
  return context;
}

// Servers, whatever the path below which they serve.
struct ServerHash {
  std::size_t operator()(const HttpOrigin& origin) const {
    return std::hash<std::string_view>()(origin.host) ^ (std::size_t{origin.port} << 1U);
  }
};
struct IsSameServer {
  bool operator()(const HttpOrigin& a, const HttpOrigin& b) const {
    return a.host == b.host && a.port == b.port && a.is_tls == b.is_tls;
  }
};

// The connections that are idle, and what new ones need.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(EventLoop& loop, HttpClientOptions options, std::shared_ptr<ssl::context> tls)
      : loop_(internal::AsioLoop::Of(loop)),
        options_(std::move(options)),
        tls_(std::move(tls)),
        sweep_(loop.NewTimer()) {}

  // Null if none is left. Those that the server has closed meanwhile are dropped.
  Connection Take(const HttpOrigin& origin) {
    const auto found = idle_.find(origin);
    if (found == idle_.end()) return nullptr;
    while (!found->second.empty()) {
      Connection connection = std::move(found->second.back());
      found->second.pop_back();
      if (connection->is_connected()) return connection;
    }
    return nullptr;
  }

  Connection New(const HttpOrigin& origin) {
    return std::make_shared<ClientConnection>(loop_.io(), origin, origin.is_tls ? tls_ : nullptr,
                                              options_.head_limit_bytes);
  }

  void Give(const Connection& connection) {
    auto& those = idle_[connection->origin()];
    if (is_closed_ || those.size() >= options_.idle_connections_each) return connection->Close();
    connection->idle_since = std::chrono::steady_clock::now();
    those.push_back(connection);
    connection->Rest();
    if (!is_sweeping_) SweepLater();
  }

  void CloseAll() {
    is_closed_ = true;
    sweep_->Stop();
    for (auto& [key, those] : idle_) {
      for (const Connection& connection : those) connection->Close();
    }
    idle_.clear();
  }

 private:
  void SweepLater() {
    is_sweeping_ = true;
    sweep_->Start(options_.idle_time / 2, [this] { Sweep(); });
  }
  void Sweep() {
    is_sweeping_ = false;
    const auto oldest = std::chrono::steady_clock::now() - options_.idle_time;
    for (auto& [key, those] : idle_) {
      // The one that was used last is taken first, so the old ones come first here.
      const auto fresh = std::ranges::find_if(
          those, [&](const Connection& one) { return one->idle_since > oldest; });
      std::for_each(those.begin(), fresh, [](const Connection& one) { one->Close(); });
      those.erase(those.begin(), fresh);
    }
    std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
    if (!idle_.empty()) SweepLater();
  }

  internal::AsioLoop& loop_;
  const HttpClientOptions options_;
  const std::shared_ptr<ssl::context> tls_;  // with the connections
  std::unordered_map<HttpOrigin, std::vector<Connection>, ServerHash, IsSameServer> idle_;
  std::unique_ptr<LoopTimer> sweep_;
  bool is_sweeping_ = false;
  bool is_closed_ = false;
};

// The last word; what a listener throws at it nobody is left to hear, and it ends nothing else.
void TellFailure(CallListener& listener, CallFailure failure) {
  try {
    listener.OnFailure(std::move(failure));
  } catch (const std::exception&) {
    return;
  }
}

class PooledCall final : public HttpCall, public internal::ConnectionOwner {
 public:
  PooledCall(std::shared_ptr<Pool> pool, HttpOrigin origin, CallRequest request,
             std::shared_ptr<CallListener> listener)
      : pool_(std::move(pool)),
        origin_(std::move(origin)),
        request_(std::move(request)),
        listener_(std::move(listener)) {}
  ~PooledCall() override { Cancel(); }

  void Start() {
    connection_ = pool_->Take(origin_);
    is_reused_ = connection_ != nullptr;
    if (!is_reused_) connection_ = pool_->New(origin_);
    connection_->Carry(request_, *listener_, *this);
  }

  void Cancel() override {
    if (connection_) std::exchange(connection_, nullptr)->Close();
  }

  // Either may end with this call destroyed by its listener.
  void OnDone(const Connection& connection, bool is_reusable) override {
    connection_.reset();
    if (is_reusable) {
      pool_->Give(connection);
    } else {
      connection->Close();
    }
    const auto listener = listener_;
    try {
      listener->OnEnd();
    } catch (const std::exception& thrown) {
      TellFailure(*listener, {CallFailure::Stage::kBody, false, internal::ErrorOf(thrown)});
    }
  }
  void OnBroken(CallFailure failure, bool has_answered) override {
    connection_.reset();
    // The server closed an idle connection just when it was taken: it never saw this call.
    if (is_reused_ && !has_answered && !failure.is_timeout) {
      is_reused_ = false;
      connection_ = pool_->New(origin_);
      return connection_->Carry(request_, *listener_, *this);
    }
    const auto listener = listener_;
    TellFailure(*listener, std::move(failure));
  }

 private:
  std::shared_ptr<Pool> pool_;  // with the client and other calls
  const HttpOrigin origin_;
  const CallRequest request_;
  const std::shared_ptr<CallListener> listener_;  // with whoever sent the request
  Connection connection_;                         // null: the call is over
  bool is_reused_ = false;
};

class AsioHttpClient final : public HttpClient {
 public:
  explicit AsioHttpClient(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {}
  ~AsioHttpClient() override { pool_->CloseAll(); }

  std::unique_ptr<HttpCall> Send(const HttpOrigin& origin, CallRequest request,
                                 std::shared_ptr<CallListener> listener) override {
    auto call =
        std::make_unique<PooledCall>(pool_, origin, std::move(request), std::move(listener));
    call->Start();
    return call;
  }

 private:
  std::shared_ptr<Pool> pool_;  // with calls
};

}  // namespace

base::Result<std::unique_ptr<HttpClient>> HttpClient::Create(EventLoop& loop,
                                                             HttpClientOptions options) {
  SWITCHYARD_TRY(auto tls, MakeContext(options.ca_file));
  return std::make_unique<AsioHttpClient>(
      std::make_shared<Pool>(loop, std::move(options), std::move(tls)));
}

}  // namespace switchyard::net
