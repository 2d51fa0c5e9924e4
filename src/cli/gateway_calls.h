// What this program asks of a gateway's own endpoints, below /switchyard/v1/: JSON there and back.
// Blocks. One thread at a time.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "net/event_loop.h"
#include "net/http_client.h"
#include "net/url.h"

namespace switchyard::cli {

struct GatewayAddress {
  std::string url = "http://127.0.0.1:8080";
  std::string key = {};      // an operator's or a member's
  std::string ca_file = {};  // empty: the system's authorities
};

// The key that a file begins with; none without a file.
base::Result<std::string> ReadFirstKey(const std::string& path);

class GatewayCalls {
 public:
  static base::Result<std::unique_ptr<GatewayCalls>> Create(const GatewayAddress& address);
  ~GatewayCalls();

  // `path` stands behind /switchyard/v1/. What the gateway refuses is an error with its words.
  base::Result<base::Json> Get(const std::string& path);
  base::Result<base::Json> Post(const std::string& path, const base::Json& body);
  base::Result<base::Json> Delete(const std::string& path);

 private:
  GatewayCalls(const GatewayAddress& address, net::HttpOrigin origin);
  base::Result<base::Json> Send(std::string method, const std::string& path, std::string body);

  const GatewayAddress address_;
  const net::HttpOrigin origin_;
  const std::unique_ptr<net::EventLoop> loop_;
  std::unique_ptr<net::HttpClient> client_;  // the loop's
};

}  // namespace switchyard::cli
