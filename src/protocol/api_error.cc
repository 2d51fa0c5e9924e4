#include "protocol/api_error.h"

#include <array>

#include "base/json.h"

namespace switchyard::protocol {
namespace {

using base::ErrorCode;

struct Row {
  ErrorCode error;
  int status;
  std::string_view type;
  std::string_view code;
};

constexpr std::string_view kInvalid = "invalid_request_error";
constexpr std::string_view kServer = "server_error";

// https://platform.openai.com/docs/guides/error-codes for 401, 403, 404, 429, 500 and 503. 499 is
// nginx's for a client that has gone; nobody reads it but the log.
constexpr auto kTable = std::to_array<Row>({
    {ErrorCode::kCancelled, 499, kInvalid, "cancelled"},
    {ErrorCode::kUnknown, 500, kServer, "internal_error"},
    {ErrorCode::kInvalidArgument, 400, kInvalid, "invalid_value"},
    {ErrorCode::kDeadlineExceeded, 504, kServer, "timeout"},
    {ErrorCode::kNotFound, 404, kInvalid, "not_found"},
    {ErrorCode::kAlreadyExists, 409, kInvalid, "already_exists"},
    {ErrorCode::kPermissionDenied, 403, "permission_error", "permission_denied"},
    {ErrorCode::kResourceExhausted, 429, "rate_limit_error", "rate_limit_exceeded"},
    {ErrorCode::kFailedPrecondition, 400, kInvalid, "failed_precondition"},
    {ErrorCode::kAborted, 409, kInvalid, "aborted"},
    {ErrorCode::kOutOfRange, 400, kInvalid, "invalid_value"},
    {ErrorCode::kUnimplemented, 501, kInvalid, "unsupported"},
    {ErrorCode::kInternal, 500, kServer, "internal_error"},
    {ErrorCode::kUnavailable, 503, "service_unavailable_error", "overloaded"},
    {ErrorCode::kDataLoss, 500, kServer, "internal_error"},
    {ErrorCode::kUnauthenticated, 401, kInvalid, "invalid_api_key"},
});

base::Json OrNull(const std::string& text) {
  return text.empty() ? base::Json() : base::Json(text);
}

}  // namespace

ApiError ToApiError(const base::Error& error) {
  for (const Row& row : kTable) {
    if (row.error != error.code) continue;
    return {row.status, error.message, std::string(row.type), {}, std::string(row.code)};
  }
  return {500, error.message, std::string(kServer), {}, "internal_error"};
}

ApiError InvalidField(std::string param, std::string code, std::string message) {
  return {400, std::move(message), std::string(kInvalid), std::move(param), std::move(code)};
}

ApiError ModelNotFound(std::string_view model) {
  return {404,
          fmt::format("The model `{}` does not exist; GET /v1/models lists those that do.", model),
          std::string(kInvalid), "model", "model_not_found"};
}

ApiError InvalidApiKey(bool missing) {
  return {401,
          missing ? "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'."
                  : "Incorrect API key provided. Ask the operator of this server for one.",
          std::string(kInvalid),
          {},
          missing ? "" : "invalid_api_key"};
}

ApiError UnknownUrl(std::string_view method, std::string_view path) {
  return {404, fmt::format("Unknown request URL: {} {}.", method, path), std::string(kInvalid), "",
          "unknown_url"};
}

ApiError MethodNotAllowed(std::string_view path, std::string_view allowed) {
  return {405, fmt::format("{} takes {} requests only.", path, allowed), std::string(kInvalid), "",
          "method_not_allowed"};
}

ApiError ContextLengthExceeded(std::int64_t context_tokens, std::int64_t prompt_tokens,
                               std::int64_t completion_tokens, std::string param) {
  std::string why =
      fmt::format("This model's maximum context length is {} tokens. However, ", context_tokens);
  if (completion_tokens > 0) {
    why += fmt::format("you requested {} tokens ({} in the prompt, {} in the completion). ",
                       prompt_tokens + completion_tokens, prompt_tokens, completion_tokens);
  } else {
    why += fmt::format("your prompt has {} tokens. ", prompt_tokens);
  }
  why += "Please reduce the length of the prompt or completion.";
  return InvalidField(std::move(param), "context_length_exceeded", std::move(why));
}

std::string ErrorBody(const ApiError& error) {
  const base::Json body = {{"error",
                            {{"message", error.message},
                             {"type", error.type},
                             {"param", OrNull(error.param)},
                             {"code", OrNull(error.code)}}}};
  return base::WriteJson(body);
}

}  // namespace switchyard::protocol
