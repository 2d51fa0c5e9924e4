#include "cli/member_facts.h"

#include <vector>

namespace switchyard::cli {

void AddMemberFacts(CLI::App& command, const std::string& group, MemberFacts& facts) {
  const auto add = [&](const char* name, auto& value, const char* meaning) {
    return command.add_option(name, value, meaning)->group(group)->capture_default_str();
  };
  add("--maker", facts.maker, "The chip's maker; else what the chip tells of itself");
  add("--region", facts.region, "Where it stands, in the words of the gateway's policy");
  add("--jurisdiction", facts.jurisdiction, "Whose law holds there, such as DE");
  add("--owner", facts.owner, "Whose machine it is: own or rented")
      ->check(CLI::IsMember(std::vector<std::string>{"own", "rented"}));
  const CLI::Range range(0.0, 1e9, "0..1000000000");
  add("--cost-per-hour", facts.cost_per_hour, "What an hour of it costs")->check(range);
  add("--power-watts", facts.power_watts, "What it draws at work")->check(range);
}

void Tell(const MemberFacts& facts, base::Json& member) {
  if (!facts.maker.empty()) member["maker"] = facts.maker;
  member["region"] = facts.region;
  member["jurisdiction"] = facts.jurisdiction;
  member["owner"] = facts.owner;
  member["cost_per_hour"] = facts.cost_per_hour;
  member["power_watts"] = facts.power_watts;
}

}  // namespace switchyard::cli
