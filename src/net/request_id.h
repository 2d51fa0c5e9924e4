// The id by which a request is found again in logs and answers: the client's own, from the header
// x-request-id, if it can stand there; else a new one. Any thread.
#pragma once

#include <string>

#include "net/http_server.h"

namespace switchyard::net {

std::string RequestIdOf(const HttpRequest& request);

}  // namespace switchyard::net
