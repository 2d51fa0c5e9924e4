#include "server/member_endpoints.h"

#include <algorithm>
#include <array>

#include "access/error_response.h"
#include "server/kv_endpoints.h"
#include "server/member_drain.h"
#include "server/member_state.h"
#include "server/server_state.h"

namespace switchyard::server {
namespace {

struct Endpoint {
  std::string_view method;
  std::string_view path;
  void (*answer)(net::HttpRequest& request, ServerState& state, const MemberReply& reply);
};

constexpr auto kEndpoints = std::to_array<Endpoint>({
    {"GET", "/switchyard/v1/state", AnswerState},
    {"POST", "/switchyard/v1/drain", AnswerDrain},
    {"POST", "/switchyard/v1/undrain", AnswerUndrain},
    {"POST", "/switchyard/v1/kv/export", ExportKv},
    {"POST", "/switchyard/v1/kv/import", ImportKv},
});

}  // namespace

void AnswerMember(net::HttpRequest& request, ServerState& state, const MemberReply& reply) {
  const std::string_view path = request.Path();
  std::string allowed;
  for (const Endpoint& endpoint : kEndpoints) {
    if (endpoint.path != path) continue;
    if (endpoint.method == request.method) return endpoint.answer(request, state, reply);
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", endpoint.method);
  }
  if (allowed.empty()) return reply(std::unexpected(protocol::UnknownUrl(request.method, path)));
  net::HttpResponse response = access::ErrorResponse(protocol::MethodNotAllowed(path, allowed), "");
  response.headers = {{"Allow", allowed}};
  reply(std::move(response));
}

}  // namespace switchyard::server
