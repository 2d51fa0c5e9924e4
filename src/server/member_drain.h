// POST /switchyard/v1/drain and /switchyard/v1/undrain: a gateway takes a member out of service,
// and brings it back.
#pragma once

#include "base/json.h"
#include "server/member_endpoints.h"

namespace switchyard::server {

void AnswerDrain(net::HttpRequest& request, ServerState& state, const MemberReply& reply);
void AnswerUndrain(net::HttpRequest& request, ServerState& state, const MemberReply& reply);

// How far it is; also a part of the state.
base::Json DrainJson(const ServerState& state);

}  // namespace switchyard::server
