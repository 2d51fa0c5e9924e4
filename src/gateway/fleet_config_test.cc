#include "gateway/fleet_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/temporary_folder.h"

namespace switchyard::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

base::Result<FleetConfig> Parse(std::string_view text) {
  return ParseFleetConfig(text, "fleet.toml", "");
}

TEST(FleetConfig, SaysWhatMembersAre) {
  const auto config = Parse(R"(
audit_file = "audit.db"
[listen]
port = 9000
drain_seconds = 1.5
[timeouts]
stall_seconds = 0.25
[[model]]
name = "m"
aliases = ["default", "m-latest"]
ttft_ms = 300
[[member]]
name = "a"
url = "http://127.0.0.1:1"
chip = "x1"
maker = "xco"
jurisdiction = "AA"
owner = "rented"
cost_per_hour = 2.5
models = "m"
[[member]]
name = "b"
url = "https://host/prefix"
kind = "openai"
vouched_for = true
[[member.model]]
name = "m"
upstream = "org/m-instruct"
context_tokens = 4096
)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->listen.port, 9000);
  EXPECT_EQ(config->listen.drain, std::chrono::milliseconds(1500));
  EXPECT_EQ(config->timeouts.stall, std::chrono::milliseconds(250));
  EXPECT_EQ(config->Canonical("m-latest"), "m");
  EXPECT_EQ(config->Canonical("other"), "other");
  EXPECT_EQ(config->FindModel("m")->ttft_ms, 300);
  ASSERT_EQ(config->members.size(), 2U);
  EXPECT_EQ(config->members[0].place, (policy::Place{.chip = "x1",
                                                     .maker = "xco",
                                                     .region = "",
                                                     .jurisdiction = "AA",
                                                     .owner = policy::Owner::kRented,
                                                     .cost_per_hour = 2.5}));
  EXPECT_THAT(config->members[0].models, ElementsAre(ServedModel{"m", "m", 0}));
  EXPECT_EQ(config->members[1].kind, MemberKind::kOpenAi);
  EXPECT_THAT(config->members[1].models, ElementsAre(ServedModel{"m", "org/m-instruct", 4096}));
}

TEST(FleetConfig, Policy) {
  const auto config = Parse(R"(
[policy]
certificates = "always"
uncertified = ["x1"]
survive = "maker"
[policy.weights]
seconds_for_cost = 60
[[policy.share]]
of = "jurisdiction"
value = "AA"
share = 0.7
[[policy.stock]]
chip = "x1"
hours_per_day = 4
strict = true
[policy.export]
jurisdictions = ["AA"]
parent_country = "BB"
[[policy.export.chip]]
name = "x1"
performance = 4800
[[policy.residency]]
tag = "aa-only"
jurisdictions = ["AA"]
[[policy.tenant]]
name = "t"
residency = ["aa-only"]
owners = "own"
)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->policy.certificates, policy::CertificateDemand::kAlways);
  EXPECT_EQ(config->policy.survive, "maker");
  EXPECT_EQ(config->policy.weights.cost_s, 60);
  EXPECT_EQ(config->policy.shares[0].share, 0.7);
  EXPECT_TRUE(config->policy.stock[0].is_strict);
  EXPECT_FALSE(config->exports->rules.empty());  // those that travel inside the program
  EXPECT_EQ(config->exports->chips[0].performance, 4800);
  EXPECT_FALSE(config->exports->chips[0].link_gb_s.has_value());
  EXPECT_THAT(config->policy.residency[0].jurisdictions, ElementsAre("AA"));
  EXPECT_THAT(config->policy.tenants[0].owners, ElementsAre("own"));
}

// Else a reload while an editor writes the file would take every member away.
TEST(FleetConfig, AnEmptyFileIsNone) {
  const base::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "fleet.toml";
  std::ofstream(file).close();
  EXPECT_FALSE(ReadFleetConfig(file.string()));
}

TEST(FleetConfig, KeysAreReadBesideTheFile) {
  const base::TemporaryFolder folder;
  std::ofstream(folder.path() / "key") << "# of a\nsk-a\n";
  std::ofstream(folder.path() / "fleet.toml")
      << "[[member]]\nname = 'a'\nurl = 'http://h:1'\nmember_key_file = 'key'\n";
  const auto config = ReadFleetConfig((folder.path() / "fleet.toml").string());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->members[0].member_key, "sk-a");
}

TEST(FleetConfig, TheTableOfHedgesTurnsThemOn) {
  EXPECT_FALSE(Parse("")->hedge.is_on);
  const policy::HedgeLimits usual = Parse("[hedge]\n")->hedge;
  EXPECT_TRUE(usual.is_on);
  EXPECT_EQ(usual.delay_ms, 0);
  EXPECT_EQ(usual.percentile, 0.95);
  EXPECT_EQ(usual.share, 0.05);
  EXPECT_EQ(Parse("[hedge]\ndelay_ms = 250\nshare = 0.2\n")->hedge,
            (policy::HedgeLimits{.is_on = true, .delay_ms = 250, .share = 0.2}));
}

TEST(FleetConfig, WhatIsWrongIsSaidWithItsLine) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"[listen]\nport = 70000\n",
       "fleet.toml:2: [listen]: 'port' must be a whole number from 0 to"},
      {"[listen]\nprot = 1\n", "fleet.toml:2: [listen]: there is no 'prot' here; there is host"},
      {"nothing = 1\n", "fleet.toml:1: the file: there is no 'nothing' here"},
      {"[listen]\nkey_file = 'k'\n", "'key_file' needs the other"},
      {"[timeouts]\nstall_seconds = 0\n", "'stall_seconds' must be a number from 0.01"},
      {"[[member]]\nurl = 'http://h'\n", "'' is no name for a member"},
      {"[[member]]\nname = 'a'\nurl = 'h:80'\n",
       "fleet.toml:3: the member 'a': 'url' the URL 'h:80' of a member must be http://"},
      {"[[member]]\nname = 'a'\nurl = 'http://h?x'\n", "nothing behind a '?'"},
      {"[[member]]\nname = 'a'\nurl = 'http://h'\nowner = 'mine'\n",
       "fleet.toml:4: the member 'a': 'owner' must be one of own, rented, not 'mine'"},
      {"[[member]]\nname = 'a'\nurl = 'http://h'\n[[member]]\nname = 'a'\nurl = 'http://h'\n",
       "'name' is another member's too"},
      {"[[member]]\nname = 'a'\nurl = 'http://h'\napi_key_file = '/nowhere/k'\n",
       "cannot read '/nowhere/k'"},
      {"[[model]]\nname = 'm'\n[[model]]\nname = 'n'\naliases = ['m']\n", "'m' names two models"},
      {"[[policy.residency]]\nregions = ['r']\n", "'tag' must say what requests bear"},
      {"[policy]\nsurvive = 'colour'\n", "must be one of maker, chip, region"},
      {"[[policy.share]]\nof = 'maker'\nshare = 2\n", "'share' must be a number from 0 to 1"},
      {"[policy.export]\nrules_file = '/nowhere'\n",
       "fleet.toml:2: [export]: 'rules_file' cannot read '/nowhere'"},
      {"[listen]\nport = 1\nadmin_key_file = '/nowhere/k'\n",
       "fleet.toml:3: [listen]: 'admin_key_file' cannot read '/nowhere/k'"},
      {"[[member]]\nname = 'a'\n",
       "fleet.toml:1: the member 'a': needs a 'url', such as http://10.0.0.1:8000"},
      {"[policy]\nowners = 'theirs'\n", "knows own and rented only"},
      {"[member]\nname = 'a'\n", "must be tables, [[member]]"},
      {"[hedge]\nshare = 2\n", "'share' must be a number from 0 to 1"},
      {"[hedge]\ndelay_ms = 5\npercentile = 0.9\n", "give one of them"},
      {"[registry]\nprefix = 'x'\n", "'prefix' must end with '/'"},
  };
  for (const auto& [text, message] : cases) {
    const auto config = Parse(text);
    ASSERT_FALSE(config) << text;
    EXPECT_THAT(config.error().message, HasSubstr(message)) << text;
  }
}

}  // namespace
}  // namespace switchyard::gateway
