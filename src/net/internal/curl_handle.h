// libcurl's handles with an owner.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace switchyard::net::internal {

struct CurlFree {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CurlFree>;
using CurlList = std::unique_ptr<curl_slist, CurlFree>;

// libcurl asks for this once in a process, before its first use.
inline bool StartCurlOnce() {
  static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return started;
}

// With what every request of ours has. Null if libcurl cannot start.
inline CurlHandle NewCurlHandle() {
  CurlHandle handle(StartCurlOnce() ? curl_easy_init() : nullptr);
  if (!handle) return handle;
  curl_easy_setopt(handle.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle.get(), CURLOPT_USERAGENT, "switchyard/0.1");
  curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
  return handle;
}

// Why a transfer failed: libcurl's own words for it (CURLOPT_ERRORBUFFER), or the code's.
inline const char* WhyOf(CURLcode code, const char* detail) {
  return detail[0] != '\0' ? detail : curl_easy_strerror(code);
}

// Header lines, "Name: value".
inline CurlList ListOf(const std::vector<std::string>& lines) {
  CurlList list;
  for (const std::string& line : lines) {
    curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
    SWITCHYARD_CHECK(longer != nullptr);
    (void)list.release();
    list.reset(longer);
  }
  return list;
}

}  // namespace switchyard::net::internal
