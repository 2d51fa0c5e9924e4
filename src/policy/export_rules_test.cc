// How rules are read: in force, sure, unsure, overridden, bound by a policy. What the shipped rules
// say of real chips is tested with the file that holds them.
#include "policy/export_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace switchyard::policy {
namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::year;
using testing::HasSubstr;

Date On(int y, unsigned m, unsigned d) { return {year(y), month(m), day(d)}; }

ExportRule Rule(std::string id, RuleVerdict verdict) {
  ExportRule rule;
  rule.id = std::move(id);
  rule.jurisdiction = "AA";
  rule.from = On(2025, 1, 1);
  rule.verdict = verdict;
  rule.reason = "Because.";
  return rule;
}

ChipUse Use() {
  ChipUse use;
  use.chip = {"chip-1", "XX", 5000.0, 6.0, 2000.0, 600.0};
  use.site_country = "BB";
  use.parent_country = "CC";
  use.is_state_funded = false;
  use.date = On(2026, 11, 29);
  return use;
}

RuleVerdict VerdictOf(const ExportRule& rule, const ChipUse& use) {
  return Advise(std::span(&rule, 1), use, {}).verdict;
}

TEST(ExportRules, HoldFromTheirFirstDayToTheDayBeforeTheirLast) {
  ExportRule rule = Rule("r", RuleVerdict::kDeny);
  rule.until = On(2026, 1, 1);
  ChipUse use = Use();
  const auto on = [&](Date date) {
    use.date = date;
    return VerdictOf(rule, use);
  };
  EXPECT_EQ(on(On(2024, 12, 31)), RuleVerdict::kAllow);
  EXPECT_EQ(on(On(2025, 1, 1)), RuleVerdict::kDeny);
  EXPECT_EQ(on(On(2025, 12, 31)), RuleVerdict::kDeny);
  EXPECT_EQ(on(On(2026, 1, 1)), RuleVerdict::kAllow);
}

TEST(ExportRules, EachConditionNarrows) {
  const auto narrowed = [](auto narrow) {
    ExportRule rule = Rule("r", RuleVerdict::kDeny);
    narrow(rule);
    return VerdictOf(rule, Use());
  };
  const auto applies = RuleVerdict::kDeny;
  const auto spares = RuleVerdict::kAllow;
  EXPECT_EQ(narrowed([](auto& r) { r.activities = {Activity::kInfer}; }), applies);
  EXPECT_EQ(narrowed([](auto& r) { r.activities = {Activity::kBuy}; }), spares);
  EXPECT_EQ(narrowed([](auto& r) { r.chips = {"CHIP-1"}; }), applies);
  EXPECT_EQ(narrowed([](auto& r) { r.chips = {"chip-2"}; }), spares);
  EXPECT_EQ(narrowed([](auto& r) { r.maker_countries = {"XX"}; }), applies);
  EXPECT_EQ(narrowed([](auto& r) { r.maker_countries = {"YY"}; }), spares);
  EXPECT_EQ(narrowed([](auto& r) { r.foreign_to = {"YY"}; }), applies);
  EXPECT_EQ(narrowed([](auto& r) { r.foreign_to = {"YY", "XX"}; }), spares);
  EXPECT_EQ(narrowed([](auto& r) { r.site_countries = {"BB"}; }), applies);
  EXPECT_EQ(narrowed([](auto& r) { r.site_countries = {"CC"}; }), spares);
  EXPECT_EQ(narrowed([](auto& r) { r.site_outside = {"CC"}; }), applies);
  EXPECT_EQ(narrowed([](auto& r) { r.site_outside = {"BB"}; }), spares);
  EXPECT_EQ(narrowed([](auto& r) { r.countries = {"CC"}; }), applies);
  EXPECT_EQ(narrowed([](auto& r) { r.countries = {"DD"}; }), spares);
  EXPECT_EQ(narrowed([](auto& r) { r.is_state_funded = false; }), applies);
  EXPECT_EQ(narrowed([](auto& r) { r.is_state_funded = true; }), spares);
  EXPECT_EQ(narrowed([](auto& r) { r.criteria = {{.performance = {5000.0, {}}}}; }), applies);
  EXPECT_EQ(narrowed([](auto& r) { r.criteria = {{.performance = {{}, 5000.0}}}; }), spares);
  EXPECT_EQ(narrowed([](auto& r) { r.criteria = {{.memory_and_link_gb_s = {2600.0, {}}}}; }),
            applies);
  EXPECT_EQ(narrowed([](auto& r) {
              r.criteria = {{.link_gb_s = {601.0, {}}}, {.performance = {1600.0, {}}}};
            }),
            applies);
}

TEST(ExportRules, AMissingFactAsksForReviewUnlessAnotherConditionSettlesIt) {
  ExportRule rule = Rule("r", RuleVerdict::kDeny);
  rule.criteria = {{.performance = {4800.0, {}}},
                   {.performance = {1600.0, {}}, .performance_density = {5.92, {}}}};
  ChipUse use = Use();
  use.chip.performance = 2000;
  use.chip.performance_density.reset();
  const ExportAdvice advice = Advise(std::span(&rule, 1), use, {});
  EXPECT_EQ(advice.verdict, RuleVerdict::kReview);
  EXPECT_THAT(advice.Explain(), HasSubstr("what was not told: the chip's performance density"));
  use.chip.performance = 1000;
  EXPECT_EQ(VerdictOf(rule, use), RuleVerdict::kAllow);
  use.chip.performance = 4800;
  EXPECT_EQ(VerdictOf(rule, use), RuleVerdict::kDeny);
  rule.countries = {"DD"};
  EXPECT_EQ(VerdictOf(rule, use), RuleVerdict::kAllow);
  use.parent_country.clear();
  EXPECT_EQ(VerdictOf(rule, use), RuleVerdict::kReview);
  rule.verdict = RuleVerdict::kAllow;
  EXPECT_EQ(VerdictOf(rule, use), RuleVerdict::kAllow);
}

TEST(ExportRules, OnlyASureRuleOverrides) {
  std::vector<ExportRule> rules{Rule("old", RuleVerdict::kDeny), Rule("new", RuleVerdict::kLicence)};
  rules[1].overrides = {"old"};
  rules[1].criteria = {{.memory_gb_s = {{}, 6500.0}}};
  ChipUse use = Use();
  EXPECT_EQ(Advise(rules, use, {}).verdict, RuleVerdict::kLicence);
  use.chip.memory_gb_s.reset();
  EXPECT_EQ(Advise(rules, use, {}).verdict, RuleVerdict::kDeny);
}

TEST(ExportRules, APolicyBindsJurisdictionsAndHoldsLicences) {
  std::vector<ExportRule> rules{Rule("a", RuleVerdict::kLicence), Rule("b", RuleVerdict::kReview)};
  rules[1].jurisdiction = "BB";
  ExportPolicy policy;
  EXPECT_EQ(Stops(Advise(rules, Use(), policy), policy)->rule, "a");
  policy.licences = {"a"};
  EXPECT_FALSE(Stops(Advise(rules, Use(), policy), policy));
  policy.permits_review = false;
  EXPECT_EQ(Stops(Advise(rules, Use(), policy), policy)->rule, "b");
  policy.jurisdictions = {"AA"};
  EXPECT_FALSE(Stops(Advise(rules, Use(), policy), policy));
}

RC_GTEST_PROP(ExportRules, TheStrictestFindingIsTheVerdictAndNoRuleIsLost, ()) {
  std::vector<ExportRule> rules;
  const auto verdicts = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4));
  auto strictest = RuleVerdict::kAllow;
  for (const int verdict : verdicts) {
    rules.push_back(Rule(std::to_string(rules.size()), static_cast<RuleVerdict>(verdict)));
    strictest = std::max(strictest, rules.back().verdict);
  }
  const ExportAdvice advice = Advise(rules, Use(), {});
  RC_ASSERT(advice.verdict == strictest);
  RC_ASSERT(advice.findings.size() == rules.size());
  RC_ASSERT(Stops(advice, {}).has_value() == (strictest > RuleVerdict::kReview));
}

}  // namespace
}  // namespace switchyard::policy
