#include "gateway/internal/policy_fields.h"

#include <algorithm>

namespace switchyard::gateway::internal {
namespace {

void ReadOwners(TomlFields& fields, std::vector<std::string>& owners) {
  fields.Texts("owners", owners);
  const auto is_owner = [](const std::string& owner) {
    return owner == "own" || owner == "rented";
  };
  if (!std::ranges::all_of(owners, is_owner)) fields.Refuse("owners", "knows own and rented only");
}

base::Status ReadResidency(TomlFields& fields, std::vector<policy::ResidencyRule>& rules) {
  policy::ResidencyRule rule;
  fields.Text("tag", rule.tag);
  fields.Texts("regions", rule.regions);
  fields.Texts("jurisdictions", rule.jurisdictions);
  fields.Texts("makers", rule.makers);
  ReadOwners(fields, rule.owners);
  if (rule.tag.empty()) fields.Refuse("tag", "must say what requests bear that this rule is for");
  if (std::ranges::find(rules, rule.tag, &policy::ResidencyRule::tag) != rules.end()) {
    fields.Refuse("tag", "has a rule already; put both into one");
  }
  rules.push_back(std::move(rule));
  return fields.Done();
}

base::Status ReadTenant(TomlFields& fields, std::vector<policy::TenantRule>& rules) {
  policy::TenantRule rule;
  fields.Text("name", rule.name);
  fields.Texts("residency", rule.residency);
  fields.Texts("regions", rule.regions);
  ReadOwners(fields, rule.owners);
  if (rule.name.empty()) fields.Refuse("name", "must be that of keys in api_key_file");
  if (std::ranges::find(rules, rule.name, &policy::TenantRule::name) != rules.end()) {
    fields.Refuse("name", "has a rule already; put both into one");
  }
  rules.push_back(std::move(rule));
  return fields.Done();
}

}  // namespace

void ReadPlace(TomlFields& fields, policy::Place& place) {
  fields.Text("chip", place.chip);
  fields.Text("maker", place.maker);
  fields.Text("region", place.region);
  fields.Text("jurisdiction", place.jurisdiction);
  std::size_t owner = 0;
  fields.Word("owner", {"own", "rented"}, owner);
  place.owner = static_cast<policy::Owner>(owner);
  fields.Number("cost_per_hour", place.cost_per_hour, 0, 1e9);
  fields.Number("power_watts", place.power_watts, 0, 1e9);
}

base::Status ReadPolicy(TomlFields& fields, policy::RoutePolicy& policy) {
  auto demand = static_cast<std::size_t>(policy.certificates);
  fields.Word("certificates", {"none", "moves", "always"}, demand);
  policy.certificates = static_cast<policy::CertificateDemand>(demand);
  fields.Texts("uncertified", policy.uncertified);
  fields.Texts("regions", policy.regions);
  ReadOwners(fields, policy.owners);
  fields.Tables("residency",
                [&policy](TomlFields& rule) { return ReadResidency(rule, policy.residency); });
  fields.Tables("tenant", [&policy](TomlFields& rule) { return ReadTenant(rule, policy.tenants); });
  return fields.Done();
}

}  // namespace switchyard::gateway::internal
