#include "gateway/internal/member_calls.h"

#include <utility>

#include "net/url.h"

namespace switchyard::gateway::internal {
namespace {

constexpr std::size_t kMaxMemberAnswer = 4 << 20;

}  // namespace

base::Result<net::HttpClient*> MemberCalls::ClientOf(const std::string& ca_file) {
  auto& client = clients_[ca_file];
  if (client == nullptr) {
    SWITCHYARD_TRY(client, net::HttpClient::Create(loop_, {.ca_file = ca_file}));
  }
  return client.get();
}

std::unique_ptr<net::HttpFetch> MemberCalls::Send(const MemberConfig& member, std::string path,
                                                  std::string body, std::chrono::milliseconds total,
                                                  Told told) {
  const auto origin = net::ParseOrigin(member.url);
  const auto client = ClientOf(member.ca_file);
  if (!origin || !client) {
    told(std::unexpected(origin ? client.error() : origin.error()));
    return nullptr;
  }
  net::CallRequest request{.method = body.empty() ? "GET" : "POST"};
  const std::string& key = path.starts_with("/switchyard/") ? member.member_key : member.api_key;
  if (!key.empty()) request.headers.emplace_back("Authorization", "Bearer " + key);
  request.target = std::move(path);
  if (!body.empty()) {
    request.headers.emplace_back("Content-Type", "application/json");
    net::SetBody(request, std::move(body));
  }
  return net::Fetch(loop_, **client, *origin, std::move(request),
                    {.max_bytes = kMaxMemberAnswer, .total = total}, std::move(told));
}

}  // namespace switchyard::gateway::internal
