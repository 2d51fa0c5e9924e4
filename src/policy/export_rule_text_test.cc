// Rules from text: what is refused, and what the shipped ones say of chips whose facts are public
// (tests/policy/export_rules.txt).
#include "policy/export_rule_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace switchyard::policy {
namespace {

using testing::HasSubstr;

constexpr std::string_view kRule = R"([[rule]]
id = "r"
jurisdiction = "US"
from = 2025-01-15
verdict = "deny"
reason = "Because."
source = "somewhere"
)";

std::string Refusal(std::string text) {
  const auto rules = ParseExportRules(text, "rules.toml");
  return rules ? "" : rules.error().message;
}

TEST(ExportRuleText, NamesTheRuleTheLineAndTheKey) {
  const std::string rule(kRule);
  EXPECT_EQ(Refusal(rule), "");
  EXPECT_EQ(Refusal(""), "");
  EXPECT_THAT(Refusal(rule + "verdikt = 1\n"),
              HasSubstr("rules.toml:8: the rule 'r': there is no 'verdikt' here; there is id"));
  EXPECT_THAT(Refusal(rule + "until = 2025-01-15\n"), HasSubstr("'until' must be later"));
  EXPECT_THAT(Refusal(rule + "until = \"2025\"\n"), HasSubstr("must be a day such as"));
  EXPECT_THAT(Refusal(rule + "activities = [\"dance\"]\n"), HasSubstr("takes infer, train"));
  EXPECT_THAT(Refusal(rule + "chips = []\n"), HasSubstr("'chips' must hold texts"));
  EXPECT_THAT(Refusal(rule + "chips = [1]\n"), HasSubstr("must hold texts in quotes"));
  EXPECT_THAT(Refusal(rule + "state_funded = 1\n"), HasSubstr("must be true or false"));
  EXPECT_THAT(Refusal(rule + "criteria = [{ speed = { below = 1 } }]\n"),
              HasSubstr("rules.toml:8: [[criteria]]: there is no 'speed' here"));
  EXPECT_THAT(Refusal(rule + "criteria = [{}]\n"), HasSubstr("must name a fact of a chip"));
  EXPECT_THAT(Refusal(rule + "criteria = []\n"), HasSubstr("name a fact of a chip"));
  EXPECT_THAT(Refusal(rule + "criteria = [{ performance = {} }]\n"), HasSubstr("needs at_least"));
  EXPECT_THAT(Refusal(rule + "criteria = [{ performance = { above = 1 } }]\n"),
              HasSubstr("[performance]: needs at_least or below"));
  EXPECT_THAT(Refusal(rule + "overrides = [\"x\"]\n"), HasSubstr("overrides 'x', which is not"));
  EXPECT_THAT(Refusal(rule + rule), HasSubstr("'r' is there twice"));
  EXPECT_THAT(Refusal("[[rule]]\nid = 1\n"), HasSubstr("'id' must be a text"));
  EXPECT_THAT(Refusal("[[rule]]\nid = \"a\"\n"), HasSubstr("'jurisdiction' must be a text"));
  EXPECT_THAT(Refusal("rule = 1\n"), HasSubstr("must be tables"));
  EXPECT_THAT(Refusal("rules = 1\n"), HasSubstr("there is no 'rules' here; there is rule"));
  EXPECT_THAT(Refusal("[["), HasSubstr("rules.toml"));
}

std::optional<double> Fact(const std::string& text) {
  return text == "-" ? std::nullopt : std::optional(std::stod(text));
}

Date DateOf(const std::string& text) {
  return {std::chrono::year(std::stoi(text.substr(0, 4))),
          std::chrono::month(static_cast<unsigned>(std::stoi(text.substr(5, 2)))),
          std::chrono::day(static_cast<unsigned>(std::stoi(text.substr(8, 2))))};
}

Activity ActivityOf(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Activity::kExport); ++i) {
    if (Name(static_cast<Activity>(i)) == name) return static_cast<Activity>(i);
  }
  ADD_FAILURE() << "unknown activity " << name;
  return Activity::kInfer;
}

TEST(ExportRuleText, ShippedRulesSayOfKnownChipsWhatTheirSourcesSay) {
  const auto rules = ParseExportRules(ShippedExportRules(), "the shipped rules");
  ASSERT_TRUE(rules) << rules.error().message;
  std::ifstream table("tests/policy/export_rules.txt");
  ASSERT_TRUE(table);
  int rows = 0;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.front() == '#') continue;
    SCOPED_TRACE(line);
    ++rows;
    std::istringstream words(line);
    std::string perf, density, memory, link, bar, date, activity, state, binds, verdict;
    ChipUse use;
    words >> use.chip.name >> use.chip.maker_country >> perf >> density >> memory >> link >> bar >>
        date >> activity >> use.site_country >> use.parent_country >> state >> bar >> binds >>
        bar >> verdict;
    use.chip.performance = Fact(perf);
    use.chip.performance_density = Fact(density);
    use.chip.memory_gb_s = Fact(memory);
    use.chip.link_gb_s = Fact(link);
    use.date = DateOf(date);
    use.activity = ActivityOf(activity);
    if (state != "-") use.is_state_funded = state == "yes";
    ExportPolicy policy;
    std::istringstream jurisdictions(binds);
    for (std::string one; std::getline(jurisdictions, one, ',');) {
      policy.jurisdictions.push_back(one);
    }
    std::vector<std::string> expected;
    for (std::string rule; words >> rule;) expected.push_back(rule);

    const ExportAdvice advice = Advise(*rules, use, policy);
    std::vector<std::string> named;
    for (const RuleFinding& finding : advice.findings) named.push_back(finding.rule);
    EXPECT_EQ(Name(advice.verdict), verdict) << advice.Explain();
    EXPECT_THAT(named, testing::UnorderedElementsAreArray(expected));
  }
  EXPECT_GT(rows, 20);
}

}  // namespace
}  // namespace switchyard::policy
