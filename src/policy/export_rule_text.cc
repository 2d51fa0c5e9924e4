#include "policy/export_rule_text.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/toml_text.h"

namespace switchyard::policy {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Status;

// Takes a table's keys one after the other; what nobody took is unknown.
class Keys {
 public:
  Keys(const toml::table& table, std::string where) : table_(table), where_(std::move(where)) {}

  Result<std::string> Text(std::string_view key, bool is_needed) {
    const toml::node* node = Take(key);
    if (node == nullptr && !is_needed) return std::string();
    const auto text = node == nullptr ? std::nullopt : node->value_exact<std::string>();
    if (!text || text->empty()) return Wrong(node, key, "must be a text in quotes");
    return *text;
  }

  Result<std::optional<Date>> Day(std::string_view key, bool is_needed) {
    const toml::node* node = Take(key);
    if (node == nullptr && !is_needed) return std::nullopt;
    const auto date = node == nullptr ? std::nullopt : node->value_exact<toml::date>();
    if (!date) return Wrong(node, key, "must be a day such as 2025-01-15, without quotes");
    return Date(std::chrono::year(date->year), std::chrono::month(date->month),
                std::chrono::day(date->day));
  }

  Result<std::optional<bool>> Flag(std::string_view key) {
    const toml::node* node = Take(key);
    if (node == nullptr) return std::nullopt;
    const auto flag = node->value_exact<bool>();
    if (!flag) return Wrong(node, key, "must be true or false");
    return flag;
  }

  Result<std::vector<std::string>> Texts(std::string_view key) {
    std::vector<std::string> texts;
    const toml::node* node = Take(key);
    if (node == nullptr) return texts;
    const toml::array* list = node->as_array();
    if (list == nullptr || list->empty()) return Wrong(node, key, "must be a list of texts in []");
    for (const toml::node& one : *list) {
      const auto text = one.value_exact<std::string>();
      if (!text || text->empty()) return Wrong(&one, key, "must hold texts in quotes");
      texts.push_back(*text);
    }
    return texts;
  }

  Result<FactRange> Range(std::string_view key) {
    FactRange range;
    const toml::node* node = Take(key);
    if (node == nullptr) return range;
    const toml::table* bounds = node->as_table();
    if (bounds == nullptr || bounds->empty()) {
      return Wrong(node, key, "must be a table such as { at_least = 4800 }");
    }
    for (const auto& [name, bound] : *bounds) {
      const auto value = bound.value<double>();
      if (!value || !bound.is_number() || (name != "at_least" && name != "below")) {
        return Wrong(&bound, key, "takes at_least and below, which are numbers");
      }
      (name == "below" ? range.below : range.at_least) = *value;
    }
    return range;
  }

  const toml::node* Take(std::string_view key) {
    taken_.push_back(key);
    return table_.get(key);
  }

  Status RejectOthers() const {
    for (const auto& [key, node] : table_) {
      if (std::ranges::count(taken_, key.str()) > 0) continue;
      return Fail(ErrorCode::kInvalidArgument, "{}: line {}: '{}' is not a known key; known are {}",
                  where_, node.source().begin.line, key.str(), fmt::join(taken_, ", "));
    }
    return {};
  }

  std::unexpected<base::Error> Wrong(const toml::node* node, std::string_view key,
                                     std::string_view must) const {
    const auto line = (node == nullptr ? table_.source() : node->source()).begin.line;
    return Fail(ErrorCode::kInvalidArgument, "{}: line {}: '{}' {}", where_, line, key, must);
  }

 private:
  const toml::table& table_;
  std::string where_;
  std::vector<std::string_view> taken_;
};

template <typename Value>
std::optional<Value> ByName(std::string_view name, Value last) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (Name(static_cast<Value>(i)) == name) return static_cast<Value>(i);
  }
  return std::nullopt;
}

Result<std::vector<ChipCriteria>> ReadCriteria(Keys& keys, const std::string& where) {
  std::vector<ChipCriteria> all;
  const toml::node* node = keys.Take("criteria");
  if (node == nullptr) return all;
  const toml::array* rows = node->as_array();
  if (rows == nullptr || rows->empty()) {
    return keys.Wrong(node, "criteria", "must be a list of tables in []");
  }
  for (const toml::node& row : *rows) {
    const toml::table* table = row.as_table();
    if (table == nullptr || table->empty()) {
      return keys.Wrong(&row, "criteria", "must hold tables that name a fact of a chip");
    }
    Keys facts(*table, where + ": criteria");
    ChipCriteria one;
    SWITCHYARD_TRY(one.performance, facts.Range("performance"));
    SWITCHYARD_TRY(one.performance_density, facts.Range("performance_density"));
    SWITCHYARD_TRY(one.memory_gb_s, facts.Range("memory_gb_s"));
    SWITCHYARD_TRY(one.link_gb_s, facts.Range("link_gb_s"));
    SWITCHYARD_TRY(one.memory_and_link_gb_s, facts.Range("memory_and_link_gb_s"));
    SWITCHYARD_RETURN_IF_ERROR(facts.RejectOthers());
    all.push_back(one);
  }
  return all;
}

Result<ExportRule> ReadRule(const toml::table& table, std::string_view subject) {
  ExportRule rule;
  std::string where(subject);
  Keys naming(table, where + ": [[rule]]");
  SWITCHYARD_TRY(rule.id, naming.Text("id", true));
  where += ": rule '" + rule.id + "'";
  Keys keys(table, where);
  keys.Take("id");
  SWITCHYARD_TRY(rule.jurisdiction, keys.Text("jurisdiction", true));
  SWITCHYARD_TRY(const auto from, keys.Day("from", true));
  rule.from = *from;
  SWITCHYARD_TRY(rule.until, keys.Day("until", false));
  if (rule.until && *rule.until <= rule.from) {
    return keys.Wrong(table.get("until"), "until", "must be later than 'from'");
  }
  SWITCHYARD_TRY(const std::string verdict, keys.Text("verdict", true));
  const auto known = ByName(verdict, RuleVerdict::kDeny);
  if (!known) {
    return keys.Wrong(table.get("verdict"), "verdict", "must be allow, review, licence or deny");
  }
  rule.verdict = *known;
  SWITCHYARD_TRY(const auto activities, keys.Texts("activities"));
  for (const std::string& name : activities) {
    const auto activity = ByName(name, Activity::kExport);
    if (!activity) {
      return keys.Wrong(table.get("activities"), "activities",
                        "takes infer, train, rent, buy, import and export");
    }
    rule.activities.push_back(*activity);
  }
  SWITCHYARD_TRY(rule.chips, keys.Texts("chips"));
  SWITCHYARD_TRY(rule.maker_countries, keys.Texts("maker_countries"));
  SWITCHYARD_TRY(rule.foreign_to, keys.Texts("foreign_to"));
  SWITCHYARD_TRY(rule.criteria, ReadCriteria(keys, where));
  SWITCHYARD_TRY(rule.site_countries, keys.Texts("site_countries"));
  SWITCHYARD_TRY(rule.site_outside, keys.Texts("site_outside"));
  SWITCHYARD_TRY(rule.countries, keys.Texts("countries"));
  SWITCHYARD_TRY(rule.is_state_funded, keys.Flag("state_funded"));
  SWITCHYARD_TRY(rule.overrides, keys.Texts("overrides"));
  SWITCHYARD_TRY(rule.reason, keys.Text("reason", true));
  SWITCHYARD_TRY(rule.source, keys.Text("source", true));
  SWITCHYARD_RETURN_IF_ERROR(keys.RejectOthers());
  return rule;
}

}  // namespace

Result<std::vector<ExportRule>> ParseExportRules(std::string_view text, std::string_view subject) {
  SWITCHYARD_TRY(const toml::table table, base::ParseToml(text, subject));
  Keys keys(table, std::string(subject));
  std::vector<ExportRule> rules;
  if (const toml::node* node = keys.Take("rule"); node != nullptr) {
    const toml::array* list = node->as_array();
    if (list == nullptr) return keys.Wrong(node, "rule", "must be tables, each under [[rule]]");
    for (const toml::node& one : *list) {
      const toml::table* rule = one.as_table();
      if (rule == nullptr) return keys.Wrong(&one, "rule", "must be tables, each under [[rule]]");
      SWITCHYARD_TRY(ExportRule read, ReadRule(*rule, subject));
      if (std::ranges::count(rules, read.id, &ExportRule::id) > 0) {
        return keys.Wrong(rule->get("id"), "id", fmt::format("'{}' is there twice", read.id));
      }
      rules.push_back(std::move(read));
    }
  }
  SWITCHYARD_RETURN_IF_ERROR(keys.RejectOthers());
  for (const ExportRule& rule : rules) {
    for (const std::string& other : rule.overrides) {
      if (std::ranges::count(rules, other, &ExportRule::id) > 0) continue;
      return Fail(ErrorCode::kInvalidArgument, "{}: rule '{}' overrides '{}', which is not there",
                  subject, rule.id, other);
    }
  }
  return rules;
}

}  // namespace switchyard::policy
