// GET /switchyard/v1/state: what a gateway needs to know of a member to send it work. A snapshot of
// counters, whose cost is that of GET /metrics and does not grow with what runs.
#pragma once

#include "server/member_endpoints.h"

namespace switchyard::server {

void AnswerState(net::HttpRequest& request, ServerState& state, const MemberReply& reply);

}  // namespace switchyard::server
