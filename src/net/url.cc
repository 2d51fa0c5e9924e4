#include "net/url.h"

#include <curl/curl.h>

#include <charconv>
#include <memory>

namespace switchyard::net {
namespace {

using UrlHandle = std::unique_ptr<CURLU, void (*)(CURLU*)>;

UrlHandle NewUrl() { return UrlHandle(curl_url(), &curl_url_cleanup); }

std::string TakePart(CURLU* url, CURLUPart part, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

base::Result<std::string> ResolveUrl(const std::string& base, const std::string& reference) {
  const UrlHandle url = NewUrl();
  if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, reference.c_str(), 0) != CURLUE_OK) {
    return base::Fail(base::ErrorCode::kInvalidArgument, "'{}' is not a link that '{}' could hold",
                      UrlForDisplay(reference), UrlForDisplay(base));
  }
  return TakePart(url.get(), CURLUPART_URL);
}

std::string EscapeUrl(std::string_view text, bool keep_slashes) {
  std::string escaped;
  for (const char c : text) {
    if (IsUnreserved(c) || (c == '/' && keep_slashes)) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

std::string UrlForDisplay(std::string_view url) {
  std::string shown(url.substr(0, url.find_first_of("?#")));
  const std::size_t scheme_end = shown.find("://");
  if (scheme_end == std::string::npos) return shown;
  const std::size_t authority = scheme_end + 3;
  const std::size_t path = std::min(shown.find('/', authority), shown.size());
  const std::size_t user_end = shown.rfind('@', path);
  if (user_end != std::string::npos && user_end >= authority && user_end < path) {
    shown.erase(authority, user_end + 1 - authority);
  }
  return shown;
}

std::string FileNameOfUrl(const std::string& url) {
  const UrlHandle parsed = NewUrl();
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  const std::string path = TakePart(parsed.get(), CURLUPART_PATH, CURLU_URLDECODE);
  std::string name = path.substr(path.rfind('/') + 1);
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\\') return {};
  }
  if (name == "." || name == ".." || name.size() > 200) return {};
  return name;
}

std::string HttpOrigin::Authority() const {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (is_tls ? 443 : 80) ? shown : fmt::format("{}:{}", shown, port);
}

base::Result<HttpOrigin> ParseOrigin(const std::string& url) {
  const auto refuse = [&](std::string_view why) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "'{}' is not a server's address: {}; write one like http://10.0.0.7:8000",
                      UrlForDisplay(url), why);
  };
  const UrlHandle parsed = NewUrl();
  if (const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
      code != CURLUE_OK) {
    return refuse(curl_url_strerror(code));
  }
  const std::string scheme = TakePart(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return refuse("it must begin with http or https");
  for (const CURLUPart part :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    if (!TakePart(parsed.get(), part).empty()) {
      return refuse("it must have neither user nor query; a key belongs in a file of its own");
    }
  }
  HttpOrigin origin{.is_tls = scheme == "https"};
  origin.host = TakePart(parsed.get(), CURLUPART_HOST);
  if (origin.host.starts_with('[')) origin.host = origin.host.substr(1, origin.host.size() - 2);
  const std::string port = TakePart(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), origin.port);
  origin.base_path = TakePart(parsed.get(), CURLUPART_PATH);
  while (origin.base_path.ends_with('/')) origin.base_path.pop_back();
  return origin;
}

}  // namespace switchyard::net
