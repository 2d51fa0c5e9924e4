#include "gateway/internal/member_verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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
  constexpr std::array kPassing{401, 403, 404, 405, 408, 425, 429};
  return status < 400 || status >= 500 || std::ranges::find(kPassing, status) != kPassing.end();
}

// 404 is also what engines say of a model that they do not have, which the fleet took it for
// having.
bool LacksEndpoint(int status, std::string_view body) {
  if (status == 405 || status == 501) return true;
  const bool is_about_model =
      body.find("model") != std::string_view::npos || body.find("Model") != std::string_view::npos;
  return status == 404 && !is_about_model;
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
  if (LacksEndpoint(status, body)) {
    return {FailureCause::kNotServed, fmt::format("it has no such endpoint, HTTP {}", status)};
  }
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
  if (failure.error.code == base::ErrorCode::kInternal) return FailureCause::kNotUnderstood;
  if (failure.is_timeout && failure.stage != Stage::kConnect) {
    return has_token ? FailureCause::kStall : FailureCause::kNoFirstToken;
  }
  return failure.stage == Stage::kConnect ? FailureCause::kRefused : FailureCause::kReset;
}

}  // namespace switchyard::gateway::internal
