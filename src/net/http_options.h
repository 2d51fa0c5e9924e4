// How HTTP requests are made: time limits, retries, trust and credentials. A caller fills one and
// hands it to every request; nothing here is read from the environment, except that libcurl itself
// honours the proxy variables (https_proxy, http_proxy, all_proxy, no_proxy).
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace switchyard::net {

struct HttpOptions {
  // PEM bundle of trusted authorities; empty means the system's.
  std::string ca_file;

  // Sent as "Authorization: Bearer …" to the first host only, never after a redirect elsewhere, and
  // never in the clear to another machine.
  std::string bearer_token;
  // A whole Cookie header's value, guarded in the same way.
  std::string cookie;
  // Ends the sentence for 401 and 403, such as "set HF_TOKEN to a token that may read it".
  std::string credentials_hint;

  std::chrono::milliseconds connect_timeout{20'000};
  // An attempt that receives nothing for this long is given up.
  std::chrono::milliseconds stall_timeout{30'000};

  // Attempts in a row without headway; after the first, waits of back-off, twice as long each time.
  int max_attempts = 6;
  std::chrono::milliseconds first_backoff{500};
  std::chrono::milliseconds max_backoff{20'000};

  // Told, on the calling thread, before each wait; null is allowed.
  std::function<void(std::string_view)> on_notice;
};

}  // namespace switchyard::net
