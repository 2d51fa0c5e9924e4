// What an operator wants to be held against rules of export, and what stands against a member.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/export_rules.h"
#include "policy/route_facts.h"

namespace switchyard::gateway {

struct ExportConfig {
  std::vector<policy::ExportRule> rules;
  std::vector<policy::ChipFacts> chips;  // what rules ask of them, by name
  policy::ExportPolicy policy;
  std::string parent_country;           // of the ultimate parent of who operates the fleet
  std::optional<bool> is_state_funded;  // the sites
};

// The id of the rule that stops work there on that day; empty: none. The place's jurisdiction is
// the country of the site. Of a chip without facts rules can only ask for a review.
std::string RuleAgainst(const ExportConfig& config, const policy::Place& place, policy::Date day);

// Today's, in UTC.
policy::Date Today();

}  // namespace switchyard::gateway
