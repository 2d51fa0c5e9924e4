#include "policy/export_rule_text.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/toml_fields.h"
#include "base/toml_text.h"

namespace switchyard::policy {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Status;
using base::TomlFields;

void NeededText(TomlFields& fields, std::string_view key, std::string& value) {
  fields.Text(key, value);
  if (value.empty()) fields.Refuse(key, "must be a text in quotes");
}

// A list that says nothing would make its rule hold for all, as one that is left out does.
void Names(TomlFields& fields, std::string_view key, std::vector<std::string>& names) {
  fields.Texts(key, names);
  if (!fields.Has(key)) return;
  if (names.empty() || std::ranges::count(names, "") > 0) {
    fields.Refuse(key, "must hold texts in quotes, none of them empty");
  }
}

template <typename Value>
std::optional<Value> ByName(std::string_view name, Value last) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (Name(static_cast<Value>(i)) == name) return static_cast<Value>(i);
  }
  return std::nullopt;
}

void Bound(TomlFields& fields, std::string_view key, std::optional<double>& bound) {
  if (fields.Has(key)) fields.Number(key, bound.emplace(), 0, 1e18);
}

void Range(TomlFields& facts, std::string_view key, FactRange& range) {
  facts.Table(key, [&range](TomlFields& bounds) {
    Bound(bounds, "at_least", range.at_least);
    Bound(bounds, "below", range.below);
    if (!range.at_least && !range.below) bounds.Refuse("needs at_least or below");
    return bounds.Done();
  });
}

// Criteria without a fact would hold for every chip.
Status ReadCriteria(TomlFields& facts, std::vector<ChipCriteria>& all) {
  if (facts.IsEmpty()) facts.Refuse("must name a fact of a chip");
  ChipCriteria one;
  Range(facts, "performance", one.performance);
  Range(facts, "performance_density", one.performance_density);
  Range(facts, "memory_gb_s", one.memory_gb_s);
  Range(facts, "link_gb_s", one.link_gb_s);
  Range(facts, "memory_and_link_gb_s", one.memory_and_link_gb_s);
  all.push_back(one);
  return facts.Done();
}

void ReadDays(TomlFields& fields, ExportRule& rule) {
  if (!fields.Has("from")) fields.Refuse("needs 'from', the day on which it came into force");
  fields.Day("from", rule.from);
  if (!fields.Has("until")) return;
  fields.Day("until", rule.until.emplace());
  if (*rule.until <= rule.from) fields.Refuse("until", "must be later than 'from'");
}

void ReadVerdict(TomlFields& fields, ExportRule& rule) {
  std::string name;
  NeededText(fields, "verdict", name);
  const auto verdict = ByName(name, RuleVerdict::kDeny);
  if (!verdict) return fields.Refuse("verdict", "must be allow, review, licence or deny");
  rule.verdict = *verdict;
}

void ReadActivities(TomlFields& fields, ExportRule& rule) {
  std::vector<std::string> names;
  Names(fields, "activities", names);
  for (const std::string& name : names) {
    const auto activity = ByName(name, Activity::kExport);
    if (!activity) {
      return fields.Refuse("activities", "takes infer, train, rent, buy, import and export");
    }
    rule.activities.push_back(*activity);
  }
}

Status ReadRule(TomlFields& fields, std::vector<ExportRule>& rules) {
  ExportRule rule = {};
  NeededText(fields, "id", rule.id);
  if (!rule.id.empty()) fields.Name(fmt::format("the rule '{}'", rule.id));
  NeededText(fields, "jurisdiction", rule.jurisdiction);
  ReadDays(fields, rule);
  ReadVerdict(fields, rule);
  ReadActivities(fields, rule);
  Names(fields, "chips", rule.chips);
  Names(fields, "maker_countries", rule.maker_countries);
  Names(fields, "foreign_to", rule.foreign_to);
  fields.Tables("criteria",
                [&rule](TomlFields& facts) { return ReadCriteria(facts, rule.criteria); });
  if (fields.Has("criteria") && rule.criteria.empty()) {
    fields.Refuse("criteria", "must hold tables that name a fact of a chip");
  }
  Names(fields, "site_countries", rule.site_countries);
  Names(fields, "site_outside", rule.site_outside);
  Names(fields, "countries", rule.countries);
  if (fields.Has("state_funded")) fields.Flag("state_funded", rule.is_state_funded.emplace());
  Names(fields, "overrides", rule.overrides);
  NeededText(fields, "reason", rule.reason);
  NeededText(fields, "source", rule.source);
  if (std::ranges::count(rules, rule.id, &ExportRule::id) > 0) {
    fields.Refuse("id", fmt::format("'{}' is there twice", rule.id));
  }
  rules.push_back(std::move(rule));
  return fields.Done();
}

Status CheckOverrides(const std::vector<ExportRule>& rules, std::string_view subject) {
  for (const ExportRule& rule : rules) {
    for (const std::string& other : rule.overrides) {
      if (std::ranges::count(rules, other, &ExportRule::id) > 0) continue;
      return Fail(ErrorCode::kInvalidArgument,
                  "{}: the rule '{}' overrides '{}', which is not there", subject, rule.id, other);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<ExportRule>> ParseExportRules(std::string_view text, std::string_view subject) {
  SWITCHYARD_TRY(const toml::table table, base::ParseToml(text, subject));
  std::vector<ExportRule> rules;
  TomlFields fields(table, std::string(subject), "the rules");
  fields.Tables("rule", [&rules](TomlFields& rule) { return ReadRule(rule, rules); });
  SWITCHYARD_RETURN_IF_ERROR(fields.Done());
  SWITCHYARD_RETURN_IF_ERROR(CheckOverrides(rules, subject));
  return rules;
}

}  // namespace switchyard::policy
