#include "cli/member_facts.h"

#include <vector>

namespace switchyard::cli {

void AddMemberFacts(const OptionGroup& group, MemberFacts& facts) {
  group.Add("--maker", facts.maker, "The chip's maker; else what the chip tells of itself");
  group.Add("--region", facts.region, "Where it stands, in the words of the gateway's policy");
  group.Add("--jurisdiction", facts.jurisdiction, "Whose law holds there, such as DE");
  group.Add("--owner", facts.owner, "Whose machine it is: own or rented")
      ->check(CLI::IsMember(std::vector<std::string>{"own", "rented"}));
  group.Add("--cost-per-hour", facts.cost_per_hour, "What an hour of it costs")
      ->check(Between(0.0, 1e9));
  group.Add("--power-watts", facts.power_watts, "What it draws at work")
      ->check(Between(0.0, 1e9));
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
