#include "cli/fleet_join.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "access/api_keys.h"
#include "base/json.h"
#include "cli/fleet_membership.h"
#include "cli/serve_signals.h"
#include "net/url.h"

namespace switchyard::cli {
namespace {

constexpr std::chrono::milliseconds kLookOften{200};  // whether a gateway has refused

}  // namespace

void AddJoinOptions(CLI::App& command, JoinOptions& options) {
  command.add_option("--url", options.url, "Where gateways reach it, without /v1")->required();
  command.add_option("--name", options.name, "Its name in the fleet")->required();
  command.add_option("--kind", options.kind, "What it speaks: openai, or switchyard")
      ->check(CLI::IsMember({"openai", "switchyard"}));
  command.add_option("--api-key-file", options.api_key_file, "The key that it asks clients for");
  command.add_option("--member-key-file", options.member_key_file,
                     "The key that it asks gateways for, if it is ours");
  command.add_option("--model", options.models,
                     "A model that it serves; repeated. Without it, those that it lists");
  command.add_option("--chip", options.chip, "What it runs on");
  AddMemberFacts({command, "Options"}, options.facts);
}

base::Status JoinFleet(const GatewayAddress& gateway, const JoinOptions& options) {
  SWITCHYARD_RETURN_IF_ERROR(net::ParseOrigin(options.url));
  SWITCHYARD_RETURN_IF_ERROR(net::ParseOrigin(gateway.url));
  SWITCHYARD_TRY(const std::string api_key, ReadFirstKey(options.api_key_file));
  SWITCHYARD_TRY(const std::string member_key, ReadFirstKey(options.member_key_file));
  base::Json member{{"name", options.name}, {"url", options.url},       {"kind", options.kind},
                    {"api_key", api_key},   {"member_key", member_key}, {"chip", options.chip}};
  Tell(options.facts, member);
  if (!options.models.empty()) {
    for (const std::string& model : options.models) member["models"].push_back({{"name", model}});
  }
  ServeSignals signals(::isatty(STDIN_FILENO) != 0);
  FleetMembership membership({gateway}, std::move(member), [](const base::LogRecord& record) {
    fmt::print(stderr, "{}\n",
               base::ToText(record, base::LogFormat::kLogfmt, std::chrono::system_clock::now()));
  });
  while (signals.Wait(kLookOften) != ServeSignal::kStop) {
    if (auto refusal = membership.refusal()) return std::unexpected(*std::move(refusal));
  }
  membership.Leave();
  return {};
}

}  // namespace switchyard::cli
