// What a fleet's policy weighs in a member and only its operator can tell: the same options and the
// same words to the gateway for a server of ours and for one that `switchyard fleet join` stands by.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/json.h"

namespace switchyard::cli {

struct MemberFacts {
  std::string maker;
  std::string region;
  std::string jurisdiction;
  std::string owner = "own";
  double cost_per_hour = 0;
  double power_watts = 0;
};

// In this group of the help. `facts` must live as long as `command`.
void AddMemberFacts(CLI::App& command, const std::string& group, MemberFacts& facts);

// Adds them to what is said of `member`.
void Tell(const MemberFacts& facts, base::Json& member);

}  // namespace switchyard::cli
