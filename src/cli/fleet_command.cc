#include "cli/fleet_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/json.h"
#include "base/json_reading.h"
#include "cli/fleet_join.h"
#include "cli/fleet_text.h"
#include "cli/gateway_calls.h"
#include "cli/serve_signals.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;

constexpr const char* kFleetExamples =
    "Examples:\n"
    "  switchyard fleet status --key-file operators.txt\n"
    "  switchyard fleet drain rack-7                     nothing new there; what runs finishes\n"
    "  switchyard fleet drain rack-7 --cut               what runs goes on elsewhere at once\n"
    "  switchyard fleet forbid --maker X                 by policy, until 'allow'\n"
    "  switchyard fleet drill --maker X --seconds 60     what would users feel?\n"
    "  switchyard fleet explain req_4f2a                 why it ran there; x-request-id says "
    "which\n"
    "  switchyard fleet join --url http://10.0.0.7:8000 --name rack-9 --key-file members.txt\n"
    "                                                    a member that is no server of ours\n"
    "The address and key can be set by SWITCHYARD_GATEWAY and SWITCHYARD_GATEWAY_KEY_FILE.\n";

struct FleetOptions {
  std::string gateway;
  std::string key_file;
  std::string ca_file;
  bool json = false;
  // Of one of the subcommands.
  std::string name;
  std::string maker;
  std::string chip;
  std::string region;
  std::string jurisdiction;
  std::string owner;
  bool cut = false;
  std::int64_t seconds = 60;
  std::string request;
  std::int64_t limit = 50;
  JoinOptions join;
};

base::Result<GatewayAddress> AddressOf(const FleetOptions& options) {
  GatewayAddress address{.url = options.gateway, .key = {}, .ca_file = options.ca_file};
  SWITCHYARD_TRY(address.key, ReadFirstKey(options.key_file));
  return address;
}

base::Result<std::unique_ptr<GatewayCalls>> Connect(const FleetOptions& options) {
  SWITCHYARD_TRY(const GatewayAddress address, AddressOf(options));
  return GatewayCalls::Create(address);
}

// What an order means, as the gateway writes it.
base::Result<std::string> Meant(const FleetOptions& options) {
  const std::array<std::pair<std::string_view, const std::string*>, 6> said{{
      {"", &options.name},
      {"maker=", &options.maker},
      {"chip=", &options.chip},
      {"region=", &options.region},
      {"jurisdiction=", &options.jurisdiction},
      {"owner=", &options.owner},
  }};
  std::string meant;
  for (const auto& [key, value] : said) {
    if (value->empty()) continue;
    if (!meant.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' and '{}{}' at once: give one order for each",
                  meant, key, *value);
    }
    meant = fmt::format("{}{}", key, *value);
  }
  if (meant.empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "say who is meant: a member's name, or --maker, --chip, --region, --jurisdiction or "
        "--owner");
  }
  return meant;
}

void Print(const FleetOptions& options, const Json& json, std::string (*text)(const Json&)) {
  fmt::print("{}", options.json ? base::WriteJson(json, 2) + "\n" : text(json));
  std::fflush(stdout);
}

base::Status Show(const FleetOptions& options, const std::string& path,
                  std::string (*text)(const Json&)) {
  SWITCHYARD_TRY(const auto calls, Connect(options));
  SWITCHYARD_TRY(const Json json, calls->Get(path));
  Print(options, json, text);
  return {};
}

base::Status Top(const FleetOptions& options) {
  const bool is_terminal = ::isatty(STDOUT_FILENO) != 0;
  SWITCHYARD_TRY(const auto calls, Connect(options));
  ServeSignals signals(is_terminal);
  do {
    SWITCHYARD_TRY(const Json fleet, calls->Get("fleet"));
    if (is_terminal) fmt::print("\x1b[H\x1b[2J");
    Print(options, fleet, FleetText);
  } while (is_terminal && !signals.Wait(std::chrono::seconds(1)));
  return {};
}

base::Status Order(const FleetOptions& options, const std::string& verb) {
  SWITCHYARD_TRY(const std::string what, Meant(options));
  SWITCHYARD_TRY(const auto calls, Connect(options));
  SWITCHYARD_TRY(const Json answer,
                 calls->Post("fleet/" + verb, {{"what", what}, {"cut", options.cut}}));
  if (options.json) {
    fmt::print("{}\n", base::WriteJson(answer, 2));
    return {};
  }
  fmt::print("{} {}: {}{}\n", verb, what, fmt::join(base::TextsAt(answer, "members"), ", "),
             options.cut
                 ? fmt::format("; {} answers go on elsewhere", base::CountAt(answer, "answers_cut"))
                 : std::string());
  if (const std::string why = base::TextAt(answer, "only_here"); !why.empty()) {
    fmt::print(stderr, "switchyard: this gateway obeys; the others will once etcd knows: {}\n",
               why);
  }
  if (const std::string why = base::TextAt(answer, "not_written"); !why.empty()) {
    fmt::print(
        stderr,
        "switchyard: the order holds, but is not in the audit log and ends with the gateway: "
        "{}\n",
        why);
  }
  return {};
}

base::Status RunDrill(const FleetOptions& options) {
  SWITCHYARD_TRY(const std::string what, Meant(options));
  SWITCHYARD_TRY(const auto calls, Connect(options));
  SWITCHYARD_TRY(Json drill,
                 calls->Post("fleet/drill", {{"what", what}, {"seconds", options.seconds}}));
  if (::isatty(STDERR_FILENO) != 0) {
    fmt::print(stderr, "switchyard: {} is out for {} s ...\n", what, options.seconds);
  }
  while (!base::FlagAt(drill, "is_over")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    SWITCHYARD_TRY(drill, calls->Get("fleet/drill"));
  }
  Print(options, drill, DrillText);
  return {};
}

base::Status Reload(const FleetOptions& options) {
  SWITCHYARD_TRY(const auto calls, Connect(options));
  SWITCHYARD_TRY(const Json answer, calls->Post("fleet/reload", Json::object()));
  fmt::print("{} members\n", base::CountAt(answer, "members"));
  return {};
}

void AddMeant(CLI::App& command, FleetOptions& options) {
  command.add_option("NAME", options.name, "A member");
  command.add_option("--maker", options.maker, "All members of this maker");
  command.add_option("--chip", options.chip, "All on this chip");
  command.add_option("--region", options.region, "All in this region");
  command.add_option("--jurisdiction", options.jurisdiction, "All in this jurisdiction");
  command.add_option("--owner", options.owner, "All that are own, or rented")
      ->check(CLI::IsMember({"own", "rented"}));
}

// Adds the verbs; the one that is said leaves its body in `chosen`.
void AddVerbs(CLI::App& fleet, const std::shared_ptr<FleetOptions>& o,
              const std::shared_ptr<std::function<base::Status()>>& chosen) {
  const auto add = [&](const char* name, const char* meaning, std::function<base::Status()> body) {
    CLI::App* verb = fleet.add_subcommand(name, meaning);
    verb->fallthrough();
    verb->callback([chosen, body = std::move(body)] { *chosen = body; });
    return verb;
  };
  add("status", "Members, orders, and what users felt in the last minute",
      [o] { return Show(*o, "fleet", FleetText); });
  add("top", "The same, every second", [o] { return Top(*o); });
  add("audit", "What was changed, by whom and when", [o] {
    return Show(*o, fmt::format("fleet/audit?limit={}", o->limit), AuditText);
  })->add_option("--limit", o->limit, "Entries, the newest first");
  add("explain", "Why a request ran where it did",
      [o] { return Show(*o, "fleet/explain/" + o->request, ExplanationText); })
      ->add_option("REQUEST", o->request, "What the answer's header x-request-id says")
      ->required();
  add("reload", "Reads the gateway's configuration again", [o] { return Reload(*o); });
  constexpr std::array<std::pair<const char*, const char*>, 4> kOrders{{
      {"drain", "Sends nothing new there"},
      {"undrain", "Sends work there again"},
      {"forbid", "Forbids, by policy, that anything runs there"},
      {"allow", "Lifts what was forbidden"},
  }};
  for (const auto& [name, meaning] : kOrders) {
    CLI::App* order = add(name, meaning, [o, verb = std::string(name)] { return Order(*o, verb); });
    AddMeant(*order, *o);
    const bool takes_away = std::string_view(name) == "drain" || std::string_view(name) == "forbid";
    if (takes_away) order->add_flag("--cut", o->cut, "What runs there goes on elsewhere at once");
  }
  CLI::App* drill =
      add("drill", "Takes members out for a while under live load, and reports what users felt",
          [o] { return RunDrill(*o); });
  AddMeant(*drill, *o);
  drill->add_option("--seconds", o->seconds, "So long")->check(CLI::Range(1, 3600));
  CLI::App* join =
      add("join", "Makes a server a member for as long as this runs", [o]() -> base::Status {
        SWITCHYARD_TRY(const GatewayAddress gateway, AddressOf(*o));
        return JoinFleet(gateway, o->join);
      });
  AddJoinOptions(*join, o->join);
}

}  // namespace

void AddFleetCommand(CommandLine& line, const Environment& environment) {
  const auto o = std::make_shared<FleetOptions>();
  const auto chosen = std::make_shared<std::function<base::Status()>>();
  CLI::App& command = line.Add("fleet", "Operates the fleet behind a gateway.",
                               [chosen]() -> base::Status { return (*chosen)(); });
  command.require_subcommand(1);
  command.footer(kFleetExamples);
  o->gateway = environment.GetOr("SWITCHYARD_GATEWAY", "http://127.0.0.1:8080");
  o->key_file = environment.GetOr("SWITCHYARD_GATEWAY_KEY_FILE", "");
  command.add_option("--gateway", o->gateway, "The gateway's address");
  command.add_option("--key-file", o->key_file,
                     "A file with an operator's key; for join, with a member's");
  command.add_option("--ca-file", o->ca_file, "PEM of the authorities that vouch for the gateway");
  command.add_flag("--json", o->json, "Print JSON");
  AddVerbs(command, o, chosen);
}

}  // namespace switchyard::cli
