// How an error is answered over HTTP: headers and body, with Retry-After where to try again makes
// sense. Pure; any thread.
#pragma once

#include <string>

#include "net/http_server.h"
#include "protocol/api_error.h"

namespace switchyard::access {

net::HttpResponse ErrorResponse(const protocol::ApiError& error, const std::string& request_id);

}  // namespace switchyard::access
