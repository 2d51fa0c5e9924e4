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

// Null if libcurl cannot start.
inline CurlHandle NewCurlHandle() {
  return CurlHandle(StartCurlOnce() ? curl_easy_init() : nullptr);
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
