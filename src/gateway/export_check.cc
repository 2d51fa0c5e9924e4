#include "gateway/export_check.h"

#include <algorithm>
#include <chrono>

namespace switchyard::gateway {

std::string RuleAgainst(const ExportConfig& config, const policy::Place& place, policy::Date day) {
  policy::ChipUse use;
  const auto facts = std::ranges::find(config.chips, place.chip, &policy::ChipFacts::name);
  if (facts != config.chips.end()) use.chip = *facts;
  use.chip.name = place.chip;
  use.activity = policy::Activity::kInfer;
  use.site_country = place.jurisdiction;
  use.parent_country = config.parent_country;
  use.is_state_funded = config.is_state_funded;
  use.date = day;
  const auto finding =
      policy::Stops(policy::Advise(config.rules, use, config.policy), config.policy);
  return finding ? finding->rule : std::string();
}

policy::Date Today() {
  return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
}

}  // namespace switchyard::gateway
