// What dated rules of several jurisdictions say about a chip that works somewhere for somebody:
// advice that names the rules it rests on, never a legal judgment. The rules are data
// (data/rules/); here is only how they are read.
//
// Pure: the date comes from the caller. A fact that a rule asks for and nobody gave is not guessed:
// the rule then asks for a review.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::policy {

using Date = std::chrono::year_month_day;

enum class Activity : std::uint8_t { kInfer, kTrain, kRent, kBuy, kImport, kExport };

// From the mildest to the strictest. kReview: counsel must look at it. kLicence: only with one.
enum class RuleVerdict : std::uint8_t { kAllow, kReview, kLicence, kDeny };

std::string_view Name(Activity activity);
std::string_view Name(RuleVerdict verdict);

// What rules ask of a chip. Countries are ISO 3166-1 alpha-2 everywhere here.
struct ChipFacts {
  std::string name;  // compared without regard to case
  std::string maker_country;
  // Dense operations a second, in units of 1e12, times their bits; the most over all precisions.
  std::optional<double> performance;
  std::optional<double> performance_density;  // that by mm2 of die
  std::optional<double> memory_gb_s;
  std::optional<double> link_gb_s;  // both directions together
};

struct ChipUse {
  ChipFacts chip;
  Activity activity = Activity::kInfer;
  std::string site_country;    // where the chip stands
  std::string parent_country;  // of the ultimate parent of who uses it
  std::optional<bool> is_state_funded;
  Date date;
};

struct FactRange {
  std::optional<double> at_least = {};
  std::optional<double> below = {};
};

// All of them hold.
struct ChipCriteria {
  FactRange performance = {};
  FactRange performance_density = {};
  FactRange memory_gb_s = {};
  FactRange link_gb_s = {};
  FactRange memory_and_link_gb_s = {};  // their sum
};

// Applies where all of its conditions do; an empty one always does.
struct ExportRule {
  std::string id;
  std::string jurisdiction;  // whose rule it is
  Date from;
  std::optional<Date> until;  // the first day on which it is no longer in force
  RuleVerdict verdict = RuleVerdict::kReview;
  std::vector<Activity> activities;
  std::vector<std::string> chips;
  std::vector<std::string> maker_countries;
  std::vector<std::string> foreign_to;  // the maker is of none of these
  std::vector<ChipCriteria> criteria;   // any of them
  std::vector<std::string> site_countries;
  std::vector<std::string> site_outside;  // it stands in none of these
  std::vector<std::string> countries;  // of the site or of the parent
  std::optional<bool> is_state_funded;
  std::vector<std::string> overrides;  // rules that say nothing where this one applies
  std::string reason;                  // a sentence
  std::string source;
};

struct RuleFinding {
  std::string rule;
  std::string jurisdiction;
  RuleVerdict verdict = RuleVerdict::kAllow;
  std::string reason;
};

struct ExportAdvice {
  RuleVerdict verdict = RuleVerdict::kAllow;  // the strictest finding's
  std::vector<RuleFinding> findings;          // of the rules that apply or may apply
  std::string Explain() const;                // one line
};

// Whose rules bind, and what is held against them.
struct ExportPolicy {
  std::vector<std::string> jurisdictions;  // empty: all
  std::vector<std::string> licences;       // rules for which a licence is held
  bool permits_review = true;              // a finding that asks for review doesn't stop the work
};

ExportAdvice Advise(std::span<const ExportRule> rules, const ChipUse& use,
                    const ExportPolicy& policy);

// Whether the policy lets the work go on; with the finding that stops it, if any.
std::optional<RuleFinding> Stops(const ExportAdvice& advice, const ExportPolicy& policy);

}  // namespace switchyard::policy
