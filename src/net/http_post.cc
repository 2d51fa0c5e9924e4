#include "net/http_post.h"

#include <array>

#include "net/internal/curl_handle.h"
#include "net/url.h"

namespace switchyard::net {
namespace {

using base::ErrorCode;
using base::Fail;

struct Reading {
  const HttpPostRequest* request = nullptr;
  bool is_ended = false;
};

std::size_t OnBody(char* bytes, std::size_t, std::size_t length, void* user) {
  auto& reading = *static_cast<Reading*>(user);
  if (reading.request->on_body && !reading.request->on_body({bytes, length})) {
    reading.is_ended = true;
    return CURL_WRITEFUNC_ERROR;
  }
  return length;
}

}  // namespace

base::Result<int> HttpPost(const HttpPostRequest& request) {
  const internal::CurlHandle handle = internal::NewCurlHandle();
  if (!handle) return Fail(ErrorCode::kResourceExhausted, "libcurl cannot start");
  CURL* const curl = handle.get();
  std::vector<std::string> lines = request.headers;
  lines.emplace_back("Expect:");  // the body is sent at once
  const internal::CurlList headers = internal::ListOf(lines);
  Reading reading{&request};
  std::array<char, CURL_ERROR_SIZE> detail{};
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(request.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reading);
  if (!request.use_proxy) curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  if (!request.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, request.ca_file.c_str());
  if (!request.check_host_name) curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);

  const CURLcode code = curl_easy_perform(curl);
  if (reading.is_ended) return Fail(ErrorCode::kCancelled, "the answer was no longer wanted");
  if (code != CURLE_OK) {
    return Fail(
        code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable,
        "'{}' does not answer ({})", UrlForDisplay(request.url),
        internal::WhyOf(code, detail.data()));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

}  // namespace switchyard::net
