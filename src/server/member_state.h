// GET /switchyard/v1/state: what a gateway needs to know of a member to send it work. A snapshot
// from counters: it costs the engine no step.
#pragma once

#include "server/member_endpoints.h"

namespace switchyard::server {

MemberAnswer AnswerState(const net::HttpRequest& request, ServerState& state);

}  // namespace switchyard::server
