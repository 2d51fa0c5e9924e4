// How the members are reached from one event loop: a client for each set of trusted authorities,
// and each member's address taken apart. On the loop's thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "gateway/fleet_config.h"
#include "net/http_client.h"

namespace switchyard::gateway {

struct MemberLink {
  net::HttpClient* client = nullptr;
  const net::HttpOrigin* origin = nullptr;  // both live as long as the links
};

class MemberLinks {
 public:
  explicit MemberLinks(net::EventLoop& loop) : loop_(loop) {}

  // kInvalidArgument if its URL or its authorities cannot be used.
  base::Result<MemberLink> Find(const MemberConfig& member);
  // Closes all connections that are idle; what was found before is no longer valid.
  void Clear() {
    clients_.clear();
    origins_.clear();
  }

 private:
  net::EventLoop& loop_;
  std::map<std::string, std::unique_ptr<net::HttpClient>> clients_;  // by file of authorities
  std::map<std::string, net::HttpOrigin> origins_;                   // by URL
};

}  // namespace switchyard::gateway
