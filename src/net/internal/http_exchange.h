// One attempt at one GET, by libcurl: follows redirects, hands the body out as it arrives, and
// tells whether a failure may pass with time. Retrying is the caller's; see retry_schedule.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/http_options.h"

namespace switchyard::net::internal {

// What the last response in a chain of redirects said, before its body.
struct ResponseHead {
  int status = 0;
  std::optional<std::uint64_t> content_length;
  std::string etag;
  std::string last_modified;
  std::string content_range;
  std::string final_url;
  std::optional<std::chrono::seconds> retry_after;
  std::string error_text;  // what a model hub says of its refusal (X-Error-Message)
};

struct ExchangeFailure {
  base::Error error;
  bool may_pass = false;  // worth another attempt
  ResponseHead head;      // status 0 when there was no response
};

struct Exchange {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  // Called once, before the body of a 2xx; an error ends the exchange with it.
  std::function<base::Status(const ResponseHead&)> on_head;
  std::function<base::Status(std::span<const std::byte>)> on_body;
  std::function<void()> on_tick;  // several times a second, also while nothing arrives; may be null
};

std::expected<ResponseHead, ExchangeFailure> PerformExchange(const Exchange& exchange,
                                                             const HttpOptions& options);

}  // namespace switchyard::net::internal
