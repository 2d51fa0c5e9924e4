#include "cli/serve_membership.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "base/json.h"
#include "net/url.h"

namespace switchyard::cli {
namespace {

// Different for all servers of a fleet: where it listens, on which host.
std::string NameOf(const MembershipOptions& options, const std::string& url) {
  if (!options.name.empty()) return options.name;
  char host[256] = {};
  (void)::gethostname(host, sizeof host - 1);
  const auto origin = net::ParseOrigin(url);
  return fmt::format("{}:{}", host, origin ? origin->port : 0);
}

}  // namespace

base::Result<std::unique_ptr<FleetMembership>> JoinFleets(
    const ServeOptions& options, const ServerAddress& address,
    const std::vector<server::ServingChip>& chips, const base::LogSink& log) {
  const MembershipOptions& said = options.membership;
  if (said.gateways.empty()) return nullptr;
  SWITCHYARD_TRY(const std::string gateway_key, ReadFirstKey(said.gateway_key_file));
  SWITCHYARD_TRY(const std::string member_key, ReadFirstKey(options.member_key_file));
  const std::string url = said.url.empty() ? address.url : said.url;
  base::Json member{{"name", NameOf(said, url)},
                    {"url", url},
                    {"kind", "switchyard"},
                    {"api_key", address.key},
                    {"member_key", member_key},
                    {"chip", chips.empty() ? "" : chips.front().name},
                    {"maker", chips.empty() ? "" : chips.front().maker},
                    {"capacity", options.max_running}};
  Tell(said.facts, member);
  std::vector<GatewayAddress> gateways;
  for (const std::string& gateway : said.gateways) {
    SWITCHYARD_RETURN_IF_ERROR(net::ParseOrigin(gateway));
    gateways.push_back({.url = gateway, .key = gateway_key, .ca_file = said.gateway_ca_file});
  }
  return std::make_unique<FleetMembership>(std::move(gateways), std::move(member), log);
}

}  // namespace switchyard::cli
