// Small requests to members, each with the trust and the keys that its configuration names. On the
// loop only.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/error.h"
#include "gateway/fleet_config.h"
#include "net/event_loop.h"
#include "net/http_client.h"
#include "net/http_fetch.h"

namespace switchyard::gateway::internal {

class MemberCalls {
 public:
  explicit MemberCalls(net::EventLoop& loop) : loop_(loop) {}
  // Ends what is in progress, without a word.
  void Close() { clients_.clear(); }

  using Told = std::function<void(base::Result<net::FetchedAnswer>)>;
  // `path` begins with '/'; below /switchyard/ the member's key goes with it, else the client's.
  // An empty `body` is a GET, else it is JSON to POST. Null, and `told` was called, if the member
  // can't be asked at all.
  std::unique_ptr<net::HttpFetch> Send(const MemberConfig& member, std::string path,
                                       std::string body, std::chrono::milliseconds total,
                                       Told told);
  net::EventLoop& loop() { return loop_; }

 private:
  base::Result<net::HttpClient*> ClientOf(const std::string& ca_file);

  net::EventLoop& loop_;
  std::map<std::string, std::unique_ptr<net::HttpClient>> clients_;  // by the file of authorities
};

}  // namespace switchyard::gateway::internal
