// A member that was asked to answer a request: the call, and what counts for it. Movable; on one
// loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "gateway/attempt.h"
#include "gateway/member_request.h"
#include "net/http_client.h"

namespace switchyard::gateway {

struct AskedMember {
  std::shared_ptr<const MemberConfig> config;     // with the fleet; null: nobody was asked yet
  std::shared_ptr<const FleetConfig> judged_by;   // by whose policy it may run there; likewise
  std::unique_ptr<net::HttpCall> call = nullptr;  // null: it has ended
  Attempt attempt = {};
  AskPlan plan;
  std::string shown_model = {};     // JSON; empty: as the member says
  std::int64_t context_tokens = 0;  // of the model there; 0: not known
  std::chrono::steady_clock::time_point at = {};
  int number = 0;  // of all that were asked for the request
};

}  // namespace switchyard::gateway
