// What a client is told when a request fails: an HTTP status and OpenAI's error body. The one table
// that maps our error codes to both. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::protocol {

struct ApiError {
  int status = 500;
  std::string message;
  std::string type = "invalid_request_error";
  std::string param = {};  // the field that is wrong; empty: null
  std::string code = {};   // a word for programs; empty: null
};

template <typename T>
using ApiResult = std::expected<T, ApiError>;

ApiError ToApiError(const base::Error& error);

// 400, of a field.
ApiError InvalidField(std::string param, std::string code, std::string message);
ApiError ModelNotFound(std::string_view model);
ApiError InvalidApiKey(bool missing);
// 404, of an address that is none of ours.
ApiError UnknownUrl(std::string_view method, std::string_view path);
// 405; `allowed` as in the header Allow, which the answer needs as well.
ApiError MethodNotAllowed(std::string_view path, std::string_view allowed);
ApiError ContextLengthExceeded(std::int64_t context_tokens, std::int64_t prompt_tokens,
                               std::int64_t completion_tokens, std::string param);

// {"error":{"message":…,"type":…,"param":…,"code":…}}
std::string ErrorBody(const ApiError& error);

}  // namespace switchyard::protocol
