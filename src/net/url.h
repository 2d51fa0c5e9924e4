// URLs as text: joining, escaping, and showing without secrets. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::net {

// What `reference` (absolute, or relative as in a link) means on the page `base`; the fragment is
// kept. RFC 3986 section 5.
base::Result<std::string> ResolveUrl(const std::string& base, const std::string& reference);

// Percent-encodes all but unreserved characters, and '/' too unless keep_slashes.
std::string EscapeUrl(std::string_view text, bool keep_slashes);

// For messages: without user name, password, query and fragment, any of which may hold a secret.
std::string UrlForDisplay(std::string_view url);

// Where a server is: "https://host:8443/base" taken apart.
struct HttpOrigin {
  bool is_tls = false;
  std::string host = {};  // without brackets
  std::uint16_t port = 80;
  std::string base_path = {};  // without its last '/', mostly empty

  // As a Host header has it, without the port where it is the scheme's own.
  std::string Authority() const;
  friend bool operator==(const HttpOrigin&, const HttpOrigin&) = default;
};

// kInvalidArgument unless it is http or https, with a host and without user, query and fragment.
base::Result<HttpOrigin> ParseOrigin(const std::string& url);

// The last segment of the path, decoded; empty when there is none that could name a file.
std::string FileNameOfUrl(const std::string& url);

}  // namespace switchyard::net
