#include "gateway/fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gateway/member_record.h"

namespace switchyard::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

MemberConfig OfMaker(const std::string& name, const std::string& maker) {
  return {.name = name,
          .url = "http://127.0.0.1:1",
          .place = {.chip = maker + "1", .maker = maker},
          .models = {{.name = "m", .upstream = "m-up"}}};
}

FleetConfig TwoMembers() {
  FleetConfig config;
  config.models = {{.name = "m", .aliases = {"alias"}}};
  config.members = {OfMaker("a", "xco"), OfMaker("b", "yco")};
  config.breaker = {.failures = 2, .open_s = 1000};
  return config;
}

MemberState Heard() {
  MemberState state;
  state.is_heard_of = true;
  return state;
}

std::vector<std::string> Ranked(const Fleet& fleet, std::string_view model = "m") {
  const Routed routed = fleet.Route({.model = model});
  std::vector<std::string> names;
  for (std::size_t i = 0; i < routed.size(); ++i) names.push_back(routed.member(i).name());
  return names;
}

TEST(Fleet, RoutesByAliasToWhoServesTheModel) {
  Fleet fleet(TwoMembers());
  EXPECT_THAT(Ranked(fleet, "alias"), ElementsAre("a", "b"));
  EXPECT_EQ(fleet.Route({.model = "n"}).decision.refusal->kind, policy::RefusalKind::kNoSuchModel);
  EXPECT_EQ(fleet.snapshot()->Find("b")->Model("m")->upstream, "m-up");
  EXPECT_THAT(fleet.snapshot()->Models(), ElementsAre("m"));
}

TEST(Fleet, AttemptsInFlightCount) {
  Fleet fleet(TwoMembers());
  const Routed routed = fleet.Route({.model = "m"});
  Attempt attempt = fleet.Begin(routed.member(0), 10);
  EXPECT_THAT(Ranked(fleet), ElementsAre("b", "a"));
  Attempt moved = std::move(attempt);
  EXPECT_FALSE(attempt);  // NOLINT(bugprone-use-after-move): that is what is tested
  moved = {};             // cancelled
  EXPECT_THAT(Ranked(fleet), ElementsAre("a", "b"));
  const MemberCounts counts = routed.member(0).record->counts();
  EXPECT_EQ(counts.begun, 1U);
  EXPECT_EQ(counts.cancelled, 1U);
}

TEST(Fleet, FailuresOpenTheBreakerAndAnAnswerAfterALossTriesAgain) {
  Fleet fleet(TwoMembers());
  EXPECT_TRUE(fleet.Update("a", Heard()));
  const Routed routed = fleet.Route({.model = "m"});
  for (int i = 0; i < 2; ++i) fleet.Begin(routed.member(0), 10).Failed(FailureCause::kRefused);
  EXPECT_THAT(Ranked(fleet), ElementsAre("b"));
  MemberState lost = Heard();
  lost.is_lost = true;
  fleet.Update("a", lost);
  EXPECT_THAT(Ranked(fleet), ElementsAre("b"));
  fleet.Update("a", Heard());
  EXPECT_THAT(Ranked(fleet), ElementsAre("a", "b"));
}

TEST(Fleet, CancelledAndItsOwnWordAreNoFailures) {
  Fleet fleet(TwoMembers());
  const Routed routed = fleet.Route({.model = "m"});
  for (int i = 0; i < 10; ++i) {
    fleet.Begin(routed.member(0), 10).Cancelled();
    fleet.Begin(routed.member(0), 10).Failed(FailureCause::kHandBack);
  }
  EXPECT_EQ(routed.member(0).record->breaker(MemberRecord::Now()), policy::BreakerState::kClosed);
  fleet.Begin(routed.member(0), 10).Failed(FailureCause::kOverloaded, std::chrono::seconds(30));
  EXPECT_THAT(Ranked(fleet), ElementsAre("b"));
  EXPECT_EQ(routed.member(0).record->breaker(MemberRecord::Now()), policy::BreakerState::kClosed);
}

TEST(Fleet, OrdersHoldByNameAndByPlace) {
  Fleet fleet(TwoMembers());
  fleet.Obey({.kind = OrderKind::kDrain, .what = "a", .actor = "operator/t"});
  EXPECT_THAT(Ranked(fleet), ElementsAre("b"));
  fleet.Obey({.kind = OrderKind::kForbid, .what = "maker=yco", .actor = "operator/t"});
  EXPECT_TRUE(Ranked(fleet).empty());
  policy::RouteRequest request{.model = "m"};
  Routed routed = fleet.Route(request);
  EXPECT_EQ(routed.decision.refusal->kind, policy::RefusalKind::kUnavailable);
  EXPECT_THAT(Fleet::Explain("m", Fleet::Findings(routed)),
              ElementsAre("a is being drained", "an operator has forbidden b"));
  fleet.Configure(TwoMembers());  // orders outlive it
  EXPECT_TRUE(Ranked(fleet).empty());
  fleet.Obey(
      {.kind = OrderKind::kForbid, .what = "maker=yco", .holds = false, .actor = "operator/t"});
  fleet.Obey({.kind = OrderKind::kDrain, .what = "a", .holds = false, .actor = "operator/t"});
  EXPECT_THAT(Ranked(fleet), ElementsAre("a", "b"));
  EXPECT_TRUE(fleet.orders().draining.empty());
}

TEST(Fleet, ADrillLeavesWhatAnOperatorSaysMeanwhile) {
  Fleet fleet(TwoMembers());
  fleet.BeginDrill("a", "operator/t");
  EXPECT_THAT(Ranked(fleet), ElementsAre("b"));
  fleet.EndDrill("a", "operator/t");
  EXPECT_THAT(Ranked(fleet), ElementsAre("a", "b"));
  fleet.BeginDrill("a", "operator/t");
  fleet.Obey({.what = "a", .actor = "operator/ann"});
  fleet.EndDrill("a", "operator/t");
  EXPECT_THAT(Ranked(fleet), ElementsAre("b"));
  // So does one that begins where an operator drains already.
  fleet.BeginDrill("a", "operator/t");
  fleet.EndDrill("a", "operator/t");
  EXPECT_THAT(Ranked(fleet), ElementsAre("b"));
  fleet.BeginDrill("a", "operator/t");
  fleet.Obey({.what = "a", .holds = false, .actor = "operator/ann"});
  EXPECT_THAT(Ranked(fleet), ElementsAre("a", "b"));
  fleet.EndDrill("a", "operator/t");
  EXPECT_THAT(Ranked(fleet), ElementsAre("a", "b"));
}

TEST(Fleet, TheLaterOfTwoWordsCounts) {
  Fleet fleet(TwoMembers());
  const FleetOrder drain = fleet.Obey({.what = "a", .actor = "operator/t"});
  const FleetOrder undrain = fleet.Obey({.what = "a", .holds = false, .actor = "operator/t"});
  EXPECT_GT(undrain.given, drain.given);
  fleet.Obey(drain);
  EXPECT_THAT(Ranked(fleet), ElementsAre("a", "b"));
  ASSERT_EQ(fleet.words().size(), 1U);
  EXPECT_FALSE(fleet.words()[0].holds);
}

TEST(Fleet, MembersJoinAndLeave) {
  Fleet fleet(TwoMembers());
  MemberConfig c = OfMaker("c", "zco");
  EXPECT_TRUE(fleet.Join(c, "member/k"));
  EXPECT_TRUE(fleet.Join(c, "member/k"));  // renewed
  EXPECT_EQ(Ranked(fleet).size(), 3U);
  fleet.Configure(TwoMembers());
  EXPECT_EQ(Ranked(fleet).size(), 3U);
  const auto status = fleet.Join(OfMaker("a", "zco"), "member/k");
  EXPECT_THAT(status.error().message, HasSubstr("is listed in the gateway's configuration"));
  fleet.Leave("a", "gateway");  // listed ones stay
  fleet.Leave("c", "gateway");
  EXPECT_EQ(Ranked(fleet).size(), 2U);
  EXPECT_FALSE(fleet.Update("c", Heard()));
}

TEST(Fleet, ANewConfigurationKeepsWhatIsKnown) {
  Fleet fleet(TwoMembers());
  const Routed routed = fleet.Route({.model = "m"});
  Attempt attempt = fleet.Begin(routed.member(0), 10);
  FleetConfig config = TwoMembers();
  config.members[0].place.cost_per_hour = 1;
  config.members.pop_back();
  fleet.Configure(config);
  EXPECT_EQ(fleet.snapshot()->members.size(), 1U);
  EXPECT_EQ(fleet.snapshot()->members[0].record, routed.member(0).record);
  config.members[0].url = "http://127.0.0.1:2";  // another server
  fleet.Configure(config);
  EXPECT_NE(fleet.snapshot()->members[0].record, routed.member(0).record);
  attempt.Finished(10, 5);
  EXPECT_EQ(routed.member(0).record->counts().completion_tokens, 5U);
}

TEST(Fleet, RulesOfExportStandAgainstAMemberWhereverItJoins) {
  FleetConfig config = TwoMembers();
  auto exports = std::make_shared<ExportConfig>();
  policy::ExportRule rule;
  rule.id = "R-1";
  rule.jurisdiction = "AA";
  rule.from = std::chrono::sys_days(std::chrono::days(0));
  rule.verdict = policy::RuleVerdict::kDeny;
  rule.site_countries = {"BB"};
  exports->rules.push_back(std::move(rule));
  config.exports = exports;
  config.members[1].place.jurisdiction = "BB";
  Fleet fleet(config);
  const Routed routed = fleet.Route({.model = "m"});
  EXPECT_EQ(routed.size(), 1U);
  EXPECT_EQ(routed.decision.verdicts[1].code, policy::RouteCode::kExport);
  EXPECT_THAT(Fleet::Explain("m", Fleet::Findings(routed)),
              testing::Contains("the rule 'R-1' stands against b"));
  MemberConfig c = OfMaker("c", "zco");
  EXPECT_TRUE(fleet.Join(c, "member/k"));
  EXPECT_EQ(Ranked(fleet).size(), 2U);
  c.place.jurisdiction = "BB";
  EXPECT_TRUE(fleet.Join(c, "member/k"));
  EXPECT_THAT(Ranked(fleet), ElementsAre("a"));
}

TEST(Fleet, WhatWasServedCountsForShares) {
  FleetConfig config = TwoMembers();
  config.policy.shares = {{.key = "maker", .value = "yco", .share = 0.75}};
  Fleet fleet(config);
  for (int i = 0; i < 400; ++i) {
    const Routed routed = fleet.Route({.model = "m", .prompt_tokens = 10});
    Attempt attempt = fleet.Begin(routed.member(0), 10);
    attempt.FirstToken();
    attempt.Finished(10, 90);
  }
  const auto counts = fleet.snapshot()->Find("b")->record->counts();
  EXPECT_NEAR(static_cast<double>(counts.finished), 300, 8);
}

TEST(Fleet, ATextGoesWhereItsBeginningIsCached) {
  Fleet fleet(TwoMembers());
  const std::string text(10'000, 'x');
  const policy::RouteRequest request{.model = "m", .prompt_tokens = 2500, .prefix_text = text};
  const std::string first = fleet.Route(request).member(0).name();
  const Routed again = fleet.Route(request);
  EXPECT_EQ(again.member(0).name(), first);
  EXPECT_NEAR(static_cast<double>(again.candidates[0].cached_tokens), 2500.0 * 19 * 512 / 10'000,
              1);
  EXPECT_EQ(again.candidates[1].cached_tokens, 0);
}

TEST(Fleet, HedgesByTheModelsOwnFirstTokensAndWithinTheirShare) {
  using std::chrono::milliseconds;
  FleetConfig config = TwoMembers();
  Fleet fleet(config);
  fleet.CountRequest();
  EXPECT_FALSE(fleet.HedgeDelay("m", true));
  EXPECT_FALSE(fleet.MayHedge());
  config.hedge = {.is_on = true, .percentile = 0.9, .share = 0.5};
  fleet.Configure(config);
  for (int i = 1; i <= 20; ++i) fleet.SawFirstToken("alias", true, milliseconds(10 * i));
  EXPECT_EQ(fleet.HedgeDelay("m", true), milliseconds(180));
  EXPECT_FALSE(fleet.HedgeDelay("m", false));  // of whole answers nothing was seen
  for (int i = 0; i < 4; ++i) fleet.CountRequest();
  EXPECT_TRUE(fleet.MayHedge());
  EXPECT_TRUE(fleet.MayHedge());
  EXPECT_FALSE(fleet.MayHedge());
}

// Whoever has had more at once must not look faster for that.
TEST(Fleet, LoadSpreadsOverEquals) {
  Fleet fleet(TwoMembers());
  std::vector<Attempt> running;
  const auto begin = [&] {
    const Routed routed = fleet.Route({.model = "m", .prompt_tokens = 10});
    running.push_back(fleet.Begin(routed.member(0), 10));
    running.back().FirstToken();
    return routed.member(0).name();
  };
  for (int i = 0; i < 8; ++i) begin();
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    for (Attempt& attempt : running) attempt.Finished(10, 40);
    running.clear();
    int at_a = 0;
    for (int i = 0; i < 8; ++i) at_a += begin() == "a" ? 1 : 0;
    EXPECT_GE(at_a, 2);
    EXPECT_LE(at_a, 6);
  }
}

TEST(Fleet, WhoHasBecomeSlowIsKeptAway) {
  FleetConfig config = TwoMembers();
  config.members.push_back(OfMaker("c", "zco"));
  config.outlier = {.factor = 4, .floor_ms = 100, .most_share = 0.5};
  std::vector<std::string> told;
  Fleet fleet(config,
              [&](FleetChange change) { told.push_back(change.action + " " + change.subject); });
  const auto view = fleet.snapshot();
  const auto answer = [&](const Member& member, double first_token_s) {
    AttemptTimes times = member.record->Begin(10, 0, 0);
    member.record->FirstToken(times, first_token_s);
    member.record->Finished(times, 10, 1, first_token_s);
  };
  for (int i = 0; i < 200; ++i) {
    for (const Member& member : view->members) answer(member, 0.05);
  }
  fleet.EjectOutliers();
  EXPECT_EQ(Ranked(fleet).size(), 3U);
  for (int i = 0; i < 30; ++i) answer(view->members[1], 2);
  fleet.EjectOutliers();
  EXPECT_EQ(Ranked(fleet).size(), 2U);
  EXPECT_THAT(told, testing::Contains("eject b"));
  EXPECT_EQ(view->members[1].record->breaker(MemberRecord::Now()), policy::BreakerState::kOpen);
}

TEST(Fleet, ManyThreads) {
  Fleet fleet(TwoMembers());
  std::atomic<bool> is_over = false;
  std::thread operating([&] {
    while (!is_over) {
      fleet.Obey({.what = "b", .actor = "operator/t"});
      fleet.Obey({.what = "b", .holds = false, .actor = "operator/t"});
      fleet.Configure(TwoMembers());
      fleet.Update("a", Heard());
    }
  });
  std::vector<std::thread> serving;
  for (int t = 0; t < 3; ++t) {
    serving.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const Routed routed = fleet.Route({.model = "m"});
        if (routed.size() == 0) continue;
        Attempt attempt = fleet.Begin(routed.member(0), 10);
        attempt.FirstToken();
        attempt.Finished(10, 20);
      }
    });
  }
  for (auto& thread : serving) thread.join();
  is_over = true;
  operating.join();
  policy::RouteCandidate candidate;
  fleet.snapshot()->members[0].record->Describe(candidate, MemberRecord::Now());
  EXPECT_EQ(candidate.load.in_flight, 0);
  EXPECT_EQ(candidate.load.prefill_tokens, 0);
}

}  // namespace
}  // namespace switchyard::gateway
