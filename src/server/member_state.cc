#include "server/member_state.h"

#include "base/json.h"
#include "server/answer.h"

namespace switchyard::server {

MemberAnswer AnswerState(const net::HttpRequest& /*request*/, ServerState& state) {
  const engine::ServiceStatus status = state.service.Status();
  const base::Json json = {{"version", protocol::kMemberProtocolVersion},
                           {"model", {{"id", state.options.model}}},
                           {"drain", {{"draining", state.draining.load()}}},
                           {"running", status.running},
                           {"waiting", status.waiting}};
  return net::HttpResponse{.body = json.dump()};
}

}  // namespace switchyard::server
