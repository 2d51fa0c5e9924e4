// What a member answers below /switchyard/v1/, docs/member_protocol.md; whether the one who asks
// may was settled before (member_access.h). Called from the HTTP server's workers, many at once.
#pragma once

#include <functional>

#include "net/http_server.h"
#include "protocol/api_error.h"

namespace switchyard::server {

struct ServerState;

using MemberAnswer = protocol::ApiResult<net::HttpResponse>;
// Called once, then or later, from any thread.
using MemberReply = std::function<void(MemberAnswer)>;

// 404 for what there is not, 405 for another method than it takes. Request and state live until
// `reply` is gone; who answers may take the request's body, which can be large.
void AnswerMember(net::HttpRequest& request, ServerState& state, const MemberReply& reply);

}  // namespace switchyard::server
