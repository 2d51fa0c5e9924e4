// POST /switchyard/v1/kv/export and /switchyard/v1/kv/import: cached pages of a text's beginning,
// for another member and from one. The engine answers when it has moved the last page.
#pragma once

#include "server/member_endpoints.h"

namespace switchyard::server {

void ExportKv(net::HttpRequest& request, ServerState& state, const MemberReply& reply);
void ImportKv(net::HttpRequest& request, ServerState& state, const MemberReply& reply);

}  // namespace switchyard::server
