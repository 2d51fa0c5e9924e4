#include "cli/gateway_calls.h"

#include <cerrno>
#include <cstring>
#include <future>
#include <utility>

#include "access/api_keys.h"
#include "base/json_reading.h"
#include "base/text_file.h"
#include "net/http_fetch.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;

constexpr net::FetchLimits kLimits{.max_bytes = 64 << 20, .total = std::chrono::seconds(20)};

base::Result<Json> ReadAnswer(const GatewayAddress& address, const net::FetchedAnswer& answer) {
  auto json = base::ParseJson(answer.body, "the gateway's answer");
  if (answer.status < 300) {
    if (!json) json.error().code = ErrorCode::kDataLoss;
    return json;
  }
  const std::string message = json ? base::TextAt(base::At(*json, "error"), "message") : "";
  if (answer.status == 401) {
    return Fail(ErrorCode::kUnauthenticated,
                "{} does not know this key: --key-file (of serve: --gateway-key-file) names a file "
                "with one of its admin_key_file, or, to register, of its member_key_file",
                address.url);
  }
  if (answer.status == 404 && message.empty()) {
    return Fail(ErrorCode::kNotFound, "{} is no gateway of Switchyard", address.url);
  }
  if (answer.status == 404 && base::TextAt(base::At(*json, "error"), "code") == "unknown_url") {
    return Fail(ErrorCode::kNotFound,
                "{} lets nobody do this: name an admin_key_file, or to register a "
                "member_key_file, under [listen] of its fleet.toml",
                address.url);
  }
  const ErrorCode code = answer.status >= 500   ? ErrorCode::kUnavailable
                         : answer.status == 403 ? ErrorCode::kPermissionDenied
                         : answer.status == 404 ? ErrorCode::kNotFound
                         : answer.status == 400 ? ErrorCode::kInvalidArgument
                                                : ErrorCode::kFailedPrecondition;
  return Fail(code, "{}",
              message.empty()
                  ? fmt::format("{} answered with status {}", address.url, answer.status)
                  : message);
}

}  // namespace

base::Result<std::string> ReadFirstKey(const std::string& path) {
  if (path.empty()) return std::string();
  const auto text = base::ReadTextFile(path);
  if (!text) {
    return Fail(ErrorCode::kNotFound, "cannot read the key file '{}': {}", path,
                std::strerror(errno));
  }
  std::string key = access::ApiKeys::FirstKey(*text);
  if (key.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "'{}' has no key; write one into a line of it", path);
  }
  return key;
}

GatewayCalls::GatewayCalls(const GatewayAddress& address, net::HttpOrigin origin)
    : address_(address), origin_(std::move(origin)), loop_(net::EventLoop::Create()) {}

base::Result<std::unique_ptr<GatewayCalls>> GatewayCalls::Create(const GatewayAddress& address) {
  SWITCHYARD_TRY(auto origin, net::ParseOrigin(address.url));
  std::unique_ptr<GatewayCalls> calls(new GatewayCalls(address, std::move(origin)));
  base::Status status;
  calls->loop_->Run([&] {
    auto client = net::HttpClient::Create(*calls->loop_, {.ca_file = address.ca_file});
    if (client) {
      calls->client_ = std::move(*client);
    } else {
      status = std::unexpected(std::move(client.error()));
    }
  });
  SWITCHYARD_RETURN_IF_ERROR(status);
  return calls;
}

GatewayCalls::~GatewayCalls() {
  loop_->Run([this] { client_.reset(); });
}

base::Result<Json> GatewayCalls::Get(const std::string& path) { return Send("GET", path, {}); }
base::Result<Json> GatewayCalls::Post(const std::string& path, const Json& body) {
  return Send("POST", path, base::WriteJson(body));
}
base::Result<Json> GatewayCalls::Delete(const std::string& path) {
  return Send("DELETE", path, {});
}

base::Result<Json> GatewayCalls::Send(std::string method, const std::string& path,
                                      std::string body) {
  std::promise<base::Result<net::FetchedAnswer>> answered;
  std::unique_ptr<net::HttpFetch> fetch;
  loop_->Run([&] {
    net::CallRequest request{.method = std::move(method), .target = "/switchyard/v1/" + path};
    request.headers.emplace_back("Content-Type", "application/json");
    if (!address_.key.empty()) {
      request.headers.emplace_back("Authorization", "Bearer " + address_.key);
    }
    if (!body.empty()) net::SetBody(request, std::move(body));
    fetch = net::Fetch(*loop_, *client_, origin_, std::move(request), kLimits,
                       [&](auto result) { answered.set_value(std::move(result)); });
  });
  auto answer = answered.get_future().get();
  loop_->Run([&] { fetch.reset(); });
  if (!answer) {
    return base::Rethrow(std::move(answer.error()), "asking the gateway at {}", address_.url);
  }
  return ReadAnswer(address_, *answer);
}

}  // namespace switchyard::cli
