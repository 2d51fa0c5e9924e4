// What a fleet's policy weighs in a member and only its operator can tell: the same options and the
// same words to the gateway for a server of ours and for an engine beside `switchyard fleet join`.
#pragma once

#include <string>

#include "base/json.h"
#include "cli/option_group.h"

namespace switchyard::cli {

struct MemberFacts {
  std::string maker;
  std::string region;
  std::string jurisdiction;
  std::string owner = "own";
  double cost_per_hour = 0;
  double power_watts = 0;
};

void AddMemberFacts(const OptionGroup& group, MemberFacts& facts);

// Adds them to what is said of `member`.
void Tell(const MemberFacts& facts, base::Json& member);

}  // namespace switchyard::cli
