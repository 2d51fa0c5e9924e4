// What a client says about where its request may run, by headers. Values.
//
//   x-switchyard-residency: patient, eu-only    tags that the fleet's policy knows
//   x-switchyard-region: eu-west, eu-north      in one of these
#pragma once

#include <string>
#include <vector>

#include "net/http_server.h"

namespace switchyard::gateway {

struct RouteWishes {
  std::vector<std::string> residency;
  std::vector<std::string> regions;
};

RouteWishes ReadWishes(const net::HttpRequest& request);

}  // namespace switchyard::gateway
