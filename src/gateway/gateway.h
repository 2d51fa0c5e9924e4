// The gateway as its clients see it: OpenAI's interface in front of a fleet.
//
//   POST /v1/chat/completions, /v1/completions, /v1/embeddings, /tokenize, /detokenize
//   GET  /v1/models, /v1/models/ID, /health, /ready, /version, /metrics
//
// Each of its threads runs an event loop with a server on the shared port, and the connections to
// members that it uses; a request stays on one of them from its arrival to its end.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "access/key_ring.h"
#include "gateway/exchange.h"
#include "gateway/fleet.h"
#include "gateway/gateway_metrics.h"
#include "net/http_server.h"

namespace switchyard::gateway {

struct GatewayOptions {
  ListenConfig listen;
  std::optional<access::ApiKeys> keys;    // none: anyone may ask
  std::shared_ptr<net::TlsIdentity> tls;  // with who reloads it; null: in the clear
  std::string version;
  base::LogSink log;  // called from several threads; null: nothing is logged
  // Both outlive the gateway; null: nobody asks.
  DecisionLog* decisions = nullptr;
  FeltLog* felt = nullptr;
  // Answers what is below /switchyard/, on a loop's thread, so it must not block; null: nobody.
  std::function<void(net::HttpRequest, std::shared_ptr<net::HttpResponder>)> operate;
  std::function<std::string()> more_metrics;  // null: none
};

class Gateway {
 public:
  // Listens and serves at once. `fleet` outlives the gateway.
  static base::Result<std::unique_ptr<Gateway>> Start(GatewayOptions options, Fleet& fleet);
  ~Gateway();

  std::uint16_t port() const;
  std::int64_t in_flight() const { return metrics_.in_flight(); }
  void ReplaceKeys(access::ApiKeys keys) { keys_.Replace(std::move(keys)); }
  // New requests are refused from now on; waits until those in progress have ended, so long at
  // most, and closes.
  void Stop(std::chrono::milliseconds drain);

 private:
  struct Lane;
  struct Call;
  Gateway(GatewayOptions options, Fleet& fleet);
  base::Status Open();
  void Watch(Lane& lane);
  void Serve(Lane& lane, net::HttpRequest request,
             const std::shared_ptr<net::HttpResponder>& responder);
  void Read(const Call& call);
  void Relay(Lane& lane, Call& call);
  std::string Metrics() const;

  const GatewayOptions options_;
  Fleet& fleet_;
  access::KeyRing keys_;
  GatewayMetrics metrics_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<bool> is_stopping_ = false;
};

}  // namespace switchyard::gateway
