#include "gateway/internal/member_verdict.h"

#include <fmt/format.h>

#include <charconv>

#include "protocol/json_items.h"

namespace switchyard::gateway::internal {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kHandsBack = "\"switchyard_hand_back\"";

milliseconds RetryAfter(const net::CallHead& head) {
  double value = 0;
  const auto read = [&](std::string_view text) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && value >= 0 && value < 1e6;
  };
  if (read(head.Header("retry-after-ms"))) return milliseconds(static_cast<std::int64_t>(value));
  if (read(head.Header("retry-after"))) {
    return milliseconds(static_cast<std::int64_t>(value * 1000));
  }
  return {};
}

// Whether another member, or this one later, may answer what this one did not. A request that is
// wrong, or that a member's own rules refuse, is so everywhere.
bool MayPass(int status) {
  return status < 400 || status >= 500 || status == 401 || status == 403 || status == 404 ||
         status == 408 || status == 425 || status == 429;
}

MemberVerdict HandsBack() { return {FailureCause::kHandBack, "it is being drained"}; }

}  // namespace

bool IsEventStream(const net::CallHead& head) {
  return head.Header("content-type").starts_with("text/event-stream");
}

MemberVerdict OfStatus(const net::CallHead& head, std::string_view body) {
  const int status = head.status;
  if (!MayPass(status)) return {};
  if (body.find(kHandsBack) != std::string_view::npos) return HandsBack();
  const milliseconds wait = RetryAfter(head);
  const bool is_busy = status == 429 || (status == 503 && wait.count() > 0);
  return {is_busy ? FailureCause::kOverloaded : FailureCause::kServerError,
          fmt::format("it answered HTTP {}", status), wait};
}

MemberVerdict OfStreamError(std::string_view error) {
  std::string code;
  std::string type;
  std::string message = "an error";
  for (protocol::JsonItems items(error); items.Next();) {
    if (items.key() == "code") code = items.value();
    if (items.key() == "type") type = items.value();
    if (items.key() == "message") message = protocol::JsonString(items.value()).value_or("");
  }
  if (code == kHandsBack) return HandsBack();
  // The request's own fault shows only now, where engines begin a stream before they read it.
  if (type == "\"invalid_request_error\"" || code == "400") return {.why = std::move(message)};
  return {FailureCause::kServerError, std::move(message)};
}

FailureCause OfFailure(const net::CallFailure& failure, bool has_token) {
  using Stage = net::CallFailure::Stage;
  if (failure.is_timeout && failure.stage != Stage::kConnect) {
    return has_token ? FailureCause::kStall : FailureCause::kNoFirstToken;
  }
  return failure.stage == Stage::kConnect ? FailureCause::kRefused : FailureCause::kReset;
}

}  // namespace switchyard::gateway::internal
