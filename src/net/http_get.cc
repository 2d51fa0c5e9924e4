#include "net/http_get.h"

#include <utility>

#include "net/internal/http_exchange.h"
#include "net/internal/retry_schedule.h"
#include "net/url.h"

namespace switchyard::net {

using base::ErrorCode;
using base::Status;

base::Result<HttpText> HttpGet(const std::string& url, std::size_t max_bytes,
                               const HttpOptions& options) {
  internal::RetrySchedule schedule(options);
  while (true) {
    std::string body;
    const internal::Exchange exchange{
        .url = url,
        .headers = {},
        .on_head = {},
        .on_body = [&](std::span<const std::byte> bytes) -> Status {
          if (bytes.size() > max_bytes - body.size()) {
            return Fail(ErrorCode::kResourceExhausted,
                        "'{}' is longer than the {} bytes that are read of such a text",
                        UrlForDisplay(url), max_bytes);
          }
          body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          return {};
        },
        .on_tick = {}};
    auto head = internal::PerformExchange(exchange, options);
    if (head) return HttpText{std::move(body), std::move(head->final_url)};
    SWITCHYARD_RETURN_IF_ERROR(schedule.WaitAfter(head.error()));
  }
}

}  // namespace switchyard::net
