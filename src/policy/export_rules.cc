#include "policy/export_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace switchyard::policy {
namespace {

constexpr std::array<std::string_view, 6> kActivities{"infer", "train",  "rent",
                                                      "buy",   "import", "export"};
constexpr std::array<std::string_view, 4> kVerdicts{"allow", "review", "licence", "deny"};

bool IsSame(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

bool Holds(const std::vector<std::string>& list, std::string_view text) {
  return std::ranges::any_of(list, [&](const std::string& one) { return IsSame(one, text); });
}

// Whether a condition holds; where that can't be told, which fact is missing.
struct Match {
  bool is_out = false;
  std::vector<std::string_view> missing;

  void And(bool holds) { is_out = is_out || !holds; }
  void And(const Match& other) {
    is_out = is_out || other.is_out;
    missing.insert(missing.end(), other.missing.begin(), other.missing.end());
  }
  bool is_sure() const { return !is_out && missing.empty(); }
};

void AndInRange(Match& match, const FactRange& range, std::optional<double> fact,
                std::string_view name) {
  if (!range.at_least && !range.below) return;
  if (!fact) {
    match.missing.push_back(name);
    return;
  }
  match.And((!range.at_least || *fact >= *range.at_least) &&
            (!range.below || *fact < *range.below));
}

void AndNamed(Match& match, const std::vector<std::string>& list, std::string_view fact,
              std::string_view name) {
  if (list.empty()) return;
  if (fact.empty()) {
    match.missing.push_back(name);
    return;
  }
  match.And(Holds(list, fact));
}

void AndNotNamed(Match& match, const std::vector<std::string>& list, std::string_view fact,
                 std::string_view name) {
  Match named;
  AndNamed(named, list, fact, name);
  match.And(list.empty() || named.is_out || !named.missing.empty());
  match.missing.insert(match.missing.end(), named.missing.begin(), named.missing.end());
}

Match Meets(const ChipCriteria& criteria, const ChipFacts& chip) {
  Match match;
  AndInRange(match, criteria.performance, chip.performance, "the chip's performance");
  AndInRange(match, criteria.performance_density, chip.performance_density,
             "the chip's performance density");
  AndInRange(match, criteria.memory_gb_s, chip.memory_gb_s, "the chip's memory bandwidth");
  AndInRange(match, criteria.link_gb_s, chip.link_gb_s, "the chip's link bandwidth");
  std::optional<double> sum;
  if (chip.memory_gb_s && chip.link_gb_s) sum = *chip.memory_gb_s + *chip.link_gb_s;
  AndInRange(match, criteria.memory_and_link_gb_s, sum, "the chip's memory and link bandwidth");
  return match;
}

// One that surely holds settles it; of several that may, the first tells what is missing.
Match MeetsAny(const std::vector<ChipCriteria>& criteria, const ChipFacts& chip) {
  Match any;
  any.is_out = !criteria.empty();
  for (const ChipCriteria& one : criteria) {
    Match match = Meets(one, chip);
    if (match.is_sure()) return match;
    if (!match.is_out && any.is_out) any = std::move(match);
  }
  return any;
}

Match IsIn(const std::vector<std::string>& countries, const ChipUse& use) {
  Match match;
  if (countries.empty() || Holds(countries, use.site_country) ||
      Holds(countries, use.parent_country)) {
    return match;
  }
  if (use.site_country.empty()) match.missing.emplace_back("the site's country");
  if (use.parent_country.empty()) match.missing.emplace_back("the country of the ultimate parent");
  match.is_out = match.missing.empty();
  return match;
}

Match Applies(const ExportRule& rule, const ChipUse& use) {
  Match match;
  match.And(rule.activities.empty() || std::ranges::count(rule.activities, use.activity) > 0);
  match.And(rule.chips.empty() || Holds(rule.chips, use.chip.name));
  AndNamed(match, rule.maker_countries, use.chip.maker_country, "the country of the chip's maker");
  AndNamed(match, rule.site_countries, use.site_country, "the site's country");
  AndNotNamed(match, rule.foreign_to, use.chip.maker_country, "the country of the chip's maker");
  AndNotNamed(match, rule.site_outside, use.site_country, "the site's country");
  if (rule.is_state_funded) {
    if (use.is_state_funded) {
      match.And(*use.is_state_funded == *rule.is_state_funded);
    } else {
      match.missing.emplace_back("whether the site is funded by the state");
    }
  }
  match.And(IsIn(rule.countries, use));
  match.And(MeetsAny(rule.criteria, use.chip));
  return match;
}

}  // namespace

std::string_view Name(Activity activity) { return kActivities[static_cast<std::size_t>(activity)]; }

std::string_view Name(RuleVerdict verdict) { return kVerdicts[static_cast<std::size_t>(verdict)]; }

ExportAdvice Advise(std::span<const ExportRule> rules, const ChipUse& use,
                    const ExportPolicy& policy) {
  struct Found {
    const ExportRule* rule;
    Match match;
  };
  std::vector<Found> found;
  std::vector<std::string> overridden;
  for (const ExportRule& rule : rules) {
    const bool is_in_force = rule.from <= use.date && (!rule.until || use.date < *rule.until);
    if (!is_in_force) continue;
    if (!policy.jurisdictions.empty() && !Holds(policy.jurisdictions, rule.jurisdiction)) continue;
    Match match = Applies(rule, use);
    if (match.is_out) continue;
    if (match.is_sure()) {
      overridden.insert(overridden.end(), rule.overrides.begin(), rule.overrides.end());
    }
    found.push_back({&rule, std::move(match)});
  }
  ExportAdvice advice;
  for (const Found& one : found) {
    const ExportRule& rule = *one.rule;
    if (Holds(overridden, rule.id)) continue;
    RuleFinding finding{rule.id, rule.jurisdiction, rule.verdict, rule.reason};
    if (!one.match.missing.empty()) {
      finding.verdict = std::min(rule.verdict, RuleVerdict::kReview);
      finding.reason = fmt::format("{} Whether it applies hangs on what was not told: {}.",
                                   rule.reason, fmt::join(one.match.missing, ", "));
    }
    advice.verdict = std::max(advice.verdict, finding.verdict);
    advice.findings.push_back(std::move(finding));
  }
  return advice;
}

std::string ExportAdvice::Explain() const {
  std::string text(Name(verdict));
  for (const RuleFinding& finding : findings) {
    text += fmt::format("; {} ({}): {}: {}", finding.rule, finding.jurisdiction,
                        Name(finding.verdict), finding.reason);
  }
  return text + " (advice, not a legal judgment)";
}

std::optional<RuleFinding> Stops(const ExportAdvice& advice, const ExportPolicy& policy) {
  std::optional<RuleFinding> strictest;
  for (const RuleFinding& finding : advice.findings) {
    const bool is_held =
        finding.verdict == RuleVerdict::kLicence && Holds(policy.licences, finding.rule);
    const bool stops = !is_held && finding.verdict != RuleVerdict::kAllow &&
                       (finding.verdict != RuleVerdict::kReview || !policy.permits_review);
    if (stops && (!strictest || strictest->verdict < finding.verdict)) strictest = finding;
  }
  return strictest;
}

}  // namespace switchyard::policy
