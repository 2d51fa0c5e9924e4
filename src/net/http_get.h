// Small texts over HTTP, such as the file list of a model hub: fetched whole into memory, bounded
// in size. Blocks; any thread may call it.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"
#include "net/http_options.h"

namespace switchyard::net {

struct HttpText {
  std::string body;
  // Where redirects ended; relative links in the body are relative to this.
  std::string final_url;
};

// Fails with kResourceExhausted when the body is longer than max_bytes, kNotFound for 404,
// kUnauthenticated or kPermissionDenied for 401 and 403, kUnavailable once retries are spent.
base::Result<HttpText> HttpGet(const std::string& url, std::size_t max_bytes,
                               const HttpOptions& options);

}  // namespace switchyard::net
