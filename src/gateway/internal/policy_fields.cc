#include "gateway/internal/policy_fields.h"

#include <algorithm>
#include <optional>

namespace switchyard::gateway::internal {
namespace {

using base::TomlFields;

void ReadOwners(TomlFields& fields, std::vector<std::string>& owners) {
  fields.Texts("owners", owners);
  const auto is_owner = [](const std::string& owner) {
    return owner == "own" || owner == "rented";
  };
  if (!std::ranges::all_of(owners, is_owner)) fields.Refuse("owners", "knows own and rented only");
}

// One of the words for a place's sides.
void ReadKey(TomlFields& fields, std::string_view name, std::string& key) {
  fields.Text(name, key);
  if (key.empty() || policy::IsPlaceKey(key)) return;
  fields.Refuse(name, "must be one of maker, chip, region, jurisdiction, owner");
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

base::Status ReadShare(TomlFields& fields, std::vector<policy::ShareTarget>& shares) {
  policy::ShareTarget target;
  ReadKey(fields, "of", target.key);
  fields.Text("value", target.value);
  fields.Number("share", target.share, 0, 1);
  if (target.key.empty()) fields.Refuse("of", "must say what value is one of, such as maker");
  shares.push_back(std::move(target));
  return fields.Done();
}

base::Status ReadStock(TomlFields& fields, std::vector<policy::StockRule>& rules) {
  policy::StockRule rule;
  fields.Text("chip", rule.chip);
  fields.Number("hours_per_day", rule.hours_per_day, 0, 24);
  fields.Flag("strict", rule.is_strict);
  if (rule.chip.empty()) fields.Refuse("chip", "must name a chip as members do");
  rules.push_back(std::move(rule));
  return fields.Done();
}

base::Status ReadWeights(TomlFields& fields, policy::RouteWeights& weights) {
  fields.Number("seconds_for_cost", weights.cost_s, 0, 1e9);
  fields.Number("seconds_for_watt_hour", weights.energy_s, 0, 1e9);
  fields.Number("seconds_for_share", weights.share_s, 0, 1e6);
  fields.Number("seconds_for_level", weights.level_s, 0, 1e6);
  return fields.Done();
}

void ReadFact(TomlFields& fields, std::string_view key, std::optional<double>& fact) {
  double number = 0;
  fields.Number(key, number, 0, 1e12);
  if (fields.Has(key)) fact = number;
}

base::Status ReadChip(TomlFields& fields, std::vector<policy::ChipFacts>& chips) {
  policy::ChipFacts facts;
  fields.Text("name", facts.name);
  fields.Text("maker_country", facts.maker_country);
  ReadFact(fields, "performance", facts.performance);
  ReadFact(fields, "performance_density", facts.performance_density);
  ReadFact(fields, "memory_gb_s", facts.memory_gb_s);
  ReadFact(fields, "link_gb_s", facts.link_gb_s);
  if (facts.name.empty()) fields.Refuse("name", "must name a chip as members do");
  chips.push_back(std::move(facts));
  return fields.Done();
}

}  // namespace

base::Status ReadExport(TomlFields& fields, ExportConfig& exports) {
  fields.Texts("jurisdictions", exports.policy.jurisdictions);
  fields.Texts("licences", exports.policy.licences);
  fields.Flag("permits_review", exports.policy.permits_review);
  fields.Text("parent_country", exports.parent_country);
  bool is_state_funded = false;
  fields.Flag("state_funded", is_state_funded);
  if (fields.Has("state_funded")) exports.is_state_funded = is_state_funded;
  fields.Tables("chip", [&exports](TomlFields& chip) { return ReadChip(chip, exports.chips); });
  return fields.Done();
}

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
  ReadKey(fields, "survive", policy.survive);
  fields.Flag("prefixes", policy.keeps_prefixes);
  fields.Table("weights",
               [&policy](TomlFields& weights) { return ReadWeights(weights, policy.weights); });
  fields.Tables("share", [&policy](TomlFields& share) { return ReadShare(share, policy.shares); });
  fields.Tables("stock", [&policy](TomlFields& stock) { return ReadStock(stock, policy.stock); });
  fields.Tables("residency",
                [&policy](TomlFields& rule) { return ReadResidency(rule, policy.residency); });
  fields.Tables("tenant", [&policy](TomlFields& rule) { return ReadTenant(rule, policy.tenants); });
  return fields.Done();
}

}  // namespace switchyard::gateway::internal
