#include "access/error_response.h"

namespace switchyard::access {

net::HttpResponse ErrorResponse(const protocol::ApiError& error, const std::string& request_id) {
  net::HttpResponse response{.status = error.status};
  response.headers.emplace_back("x-request-id", request_id);
  if (error.status == 429 || error.status == 503) {
    response.headers.emplace_back("Retry-After", "1");
  }
  // OpenAI's clients would ask again at once, and wait as long again.
  if (error.status == 504) response.headers.emplace_back("x-should-retry", "false");
  if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  response.body = protocol::ErrorBody(error);
  return response;
}

}  // namespace switchyard::access
