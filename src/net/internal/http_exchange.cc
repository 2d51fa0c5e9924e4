#include "net/internal/http_exchange.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <string_view>

#include "net/internal/curl_handle.h"
#include "net/url.h"

namespace switchyard::net::internal {
namespace {

using base::Error;
using base::ErrorCode;
using base::Status;

constexpr long kMaxRedirects = 10;
constexpr std::size_t kMaxHeaderValue = 1024;

// The state that libcurl's callbacks share during one exchange, all on the calling thread.
struct Progress {
  CURL* handle = nullptr;
  const Exchange* exchange = nullptr;
  ResponseHead head;
  bool head_given = false;
  Status refusal;  // the error that on_head or on_body returned

  std::chrono::milliseconds stall_timeout{0};
  curl_off_t received = 0;
  std::chrono::steady_clock::time_point last_arrival = std::chrono::steady_clock::now();
  bool stalled = false;
};

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

template <typename Integer>
std::optional<Integer> ParseNumber(std::string_view text) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string Printable(std::string_view text) {
  std::string result(text.substr(0, 300));
  std::erase_if(result, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  return result;
}

void ReadHeaderLine(std::string_view line, ResponseHead& head) {
  if (line.starts_with("HTTP/")) {
    head = ResponseHead();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const std::string_view value = Trim(line.substr(colon + 1));
  if (value.size() > kMaxHeaderValue) return;
  if (name == "etag") head.etag = value;
  if (name == "last-modified") head.last_modified = value;
  if (name == "content-range") head.content_range = value;
  if (name == "content-length") head.content_length = ParseNumber<std::uint64_t>(value);
  if (name == "x-error-message") head.error_text = Printable(value);
  if (name == "retry-after") {
    // The form with a date is left out: our own back-off serves as well.
    if (const auto seconds = ParseNumber<std::uint32_t>(value)) {
      head.retry_after = std::chrono::seconds(*seconds);
    }
  }
}

void CompleteHead(Progress& progress) {
  long status = 0;
  char* url = nullptr;
  curl_easy_getinfo(progress.handle, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(progress.handle, CURLINFO_EFFECTIVE_URL, &url);
  progress.head.status = static_cast<int>(status);
  if (url != nullptr) progress.head.final_url = url;
}

bool IsSuccess(int status) { return status >= 200 && status < 300; }

void GiveHead(Progress& progress) {
  CompleteHead(progress);
  if (progress.head_given || !IsSuccess(progress.head.status)) return;
  progress.head_given = true;
  if (progress.exchange->on_head) progress.refusal = progress.exchange->on_head(progress.head);
}

std::size_t OnHeader(char* text, std::size_t, std::size_t length, void* user) {
  ReadHeaderLine(std::string_view(text, length), static_cast<Progress*>(user)->head);
  return length;
}

std::size_t OnBody(char* bytes, std::size_t, std::size_t length, void* user) {
  auto& progress = *static_cast<Progress*>(user);
  GiveHead(progress);
  if (IsSuccess(progress.head.status) && progress.refusal) {
    progress.refusal = progress.exchange->on_body(std::as_bytes(std::span(bytes, length)));
  }
  return progress.refusal ? length : CURL_WRITEFUNC_ERROR;
}

// libcurl calls this as bytes arrive, and about once a second while none do. Its own limit on low
// speed averages over five seconds and so answers later than was asked.
int OnTick(void* user, curl_off_t, curl_off_t received, curl_off_t, curl_off_t) {
  auto& progress = *static_cast<Progress*>(user);
  const auto now = std::chrono::steady_clock::now();
  if (received != progress.received) {
    progress.received = received;
    progress.last_arrival = now;
  }
  progress.stalled = now - progress.last_arrival >= progress.stall_timeout;
  if (progress.exchange->on_tick) progress.exchange->on_tick();
  return progress.stalled ? 1 : 0;
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

// A secret is for the host that it was issued for, and not for everyone on the way.
Status CheckCredentials(const std::string& url, const HttpOptions& options) {
  if (options.bearer_token.empty() && options.cookie.empty()) return {};
  for (const std::string* secret : {&options.bearer_token, &options.cookie}) {
    if (std::any_of(secret->begin(), secret->end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the access token for '{}' holds a line break or another control character; set "
                  "it again, in one line",
                  UrlForDisplay(url));
    }
  }
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(curl_url(), &curl_url_cleanup);
  char* scheme = nullptr;
  char* host = nullptr;
  bool is_safe = false;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK &&
      curl_url_get(parsed.get(), CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
      curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    is_safe = std::string_view(scheme) == "https" || IsLoopback(host);
  }
  curl_free(scheme);
  curl_free(host);
  if (is_safe) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              "'{}' would carry an access token unencrypted; use https, or unset the token",
              UrlForDisplay(url));
}

ExchangeFailure FailureOfCurl(CURLcode code, const char* detail, const Exchange& exchange,
                              const HttpOptions& options, ResponseHead head) {
  const std::string url = UrlForDisplay(exchange.url);
  const std::string reason = WhyOf(code, detail);
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return {{ErrorCode::kInvalidArgument,
               fmt::format("'{}' is not an http or https address that can be fetched, or redirects "
                           "to one that is not ({})",
                           url, reason)},
              false,
              std::move(head)};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {{ErrorCode::kUnavailable,
               fmt::format("the certificate that '{}' showed is not trusted ({}); if a proxy here "
                           "inspects traffic, name its certificate file in SSL_CERT_FILE",
                           url, reason)},
              false,
              std::move(head)};
    case CURLE_SSL_CACERT_BADFILE:
      return {{ErrorCode::kFailedPrecondition,
               fmt::format("cannot read the certificate file '{}' ({}); install the package "
                           "ca-certificates, or correct SSL_CERT_FILE or CURL_CA_BUNDLE",
                           options.ca_file, reason)},
              false,
              std::move(head)};
    case CURLE_TOO_MANY_REDIRECTS:
      return {{ErrorCode::kUnavailable,
               fmt::format("'{}' redirects more than {} times", url, kMaxRedirects)},
              false,
              std::move(head)};
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {{ErrorCode::kUnavailable,
               fmt::format("cannot find the host of '{}' ({}); check the network, or set "
                           "https_proxy",
                           url, reason)},
              true,
              std::move(head)};
    case CURLE_OPERATION_TIMEDOUT:
      return {{ErrorCode::kDeadlineExceeded, fmt::format("'{}' timed out ({})", url, reason)},
              true,
              std::move(head)};
    default:
      return {{ErrorCode::kUnavailable, fmt::format("cannot fetch '{}' ({})", url, reason)},
              code != CURLE_OUT_OF_MEMORY,
              std::move(head)};
  }
}

ExchangeFailure FailureOfStatus(const Exchange& exchange, const HttpOptions& options,
                                ResponseHead head) {
  const std::string url = UrlForDisplay(exchange.url);
  const std::string said =
      head.error_text.empty() ? std::string() : fmt::format(", \"{}\"", head.error_text);
  const auto advice = [&](std::string_view otherwise) {
    return options.credentials_hint.empty() ? std::string(otherwise) : options.credentials_hint;
  };
  Error error;
  bool may_pass = false;
  switch (head.status) {
    case 401:
      error = {ErrorCode::kUnauthenticated, fmt::format("'{}' asks who you are (HTTP 401{}); {}",
                                                        url, said, advice("it needs credentials"))};
      break;
    case 403:
      error = {ErrorCode::kPermissionDenied,
               fmt::format("'{}' refuses access (HTTP 403{}); {}", url, said,
                           advice("it needs other credentials"))};
      break;
    case 404:
    case 410:
      error = {ErrorCode::kNotFound,
               fmt::format("there is nothing at '{}' (HTTP {}{}); check the name", url, head.status,
                           said)};
      break;
    case 408:
    case 425:
    case 429:
      error = {
          ErrorCode::kUnavailable,
          fmt::format("'{}' asks to wait (HTTP {}{}); try again later", url, head.status, said)};
      may_pass = true;
      break;
    default:
      may_pass = head.status >= 500 && head.status != 501 && head.status != 505;
      error = {ErrorCode::kUnavailable,
               fmt::format("'{}' answers HTTP {}{}; {}", url, head.status, said,
                           may_pass ? "the fault is the server's, try again later"
                                    : "it does not accept this request")};
  }
  return {std::move(error), may_pass, std::move(head)};
}

}  // namespace

std::expected<ResponseHead, ExchangeFailure> PerformExchange(const Exchange& exchange,
                                                             const HttpOptions& options) {
  if (Status safe = CheckCredentials(exchange.url, options); !safe) {
    return std::unexpected(ExchangeFailure{std::move(safe.error()), false, {}});
  }
  const CurlHandle handle = NewCurlHandle();
  if (!handle) {
    return std::unexpected(
        ExchangeFailure{{ErrorCode::kResourceExhausted, "libcurl cannot start"}, false, {}});
  }
  CURL* const curl = handle.get();

  std::vector<std::string> lines = exchange.headers;
  // libcurl drops these two on a redirect to another host, port or protocol.
  if (!options.bearer_token.empty()) {
    lines.push_back("Authorization: Bearer " + options.bearer_token);
  }
  if (!options.cookie.empty()) lines.push_back("Cookie: " + options.cookie);
  const CurlList headers = ListOf(lines);

  Progress progress;
  progress.handle = curl;
  progress.exchange = &exchange;
  progress.stall_timeout = options.stall_timeout;
  std::array<char, CURL_ERROR_SIZE> detail{};
  const bool is_https = exchange.url.starts_with("https:");
  curl_easy_setopt(curl, CURLOPT_URL, exchange.url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  // A redirect never steps down from https.
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, is_https ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail.data());
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &progress);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &progress);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &OnTick);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &progress);
  if (!options.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
  }

  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OK) GiveHead(progress);  // a response without a body
  CompleteHead(progress);
  if (!progress.refusal) {
    return std::unexpected(
        ExchangeFailure{std::move(progress.refusal.error()), false, std::move(progress.head)});
  }
  if (progress.stalled) {
    return std::unexpected(ExchangeFailure{
        {ErrorCode::kDeadlineExceeded,
         fmt::format("'{}' sent nothing for {:.0f} seconds", UrlForDisplay(exchange.url),
                     std::chrono::duration<double>(options.stall_timeout).count())},
        true,
        std::move(progress.head)});
  }
  // A refusal by the server counts as such even if its explanation was cut short.
  if (progress.head.status >= 400) {
    return std::unexpected(FailureOfStatus(exchange, options, std::move(progress.head)));
  }
  if (code != CURLE_OK) {
    return std::unexpected(
        FailureOfCurl(code, detail.data(), exchange, options, std::move(progress.head)));
  }
  if (!IsSuccess(progress.head.status)) {
    return std::unexpected(FailureOfStatus(exchange, options, std::move(progress.head)));
  }
  return std::move(progress.head);
}

}  // namespace switchyard::net::internal
