#include "policy/routing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace switchyard::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two members of a model "m": "a" at home, "b" rented abroad.
class Routing : public testing::Test {
 protected:
  RouteDecision Decide() { return Route(request_, candidates_, policy_); }

  Place home_{.chip = "x1", .maker = "xco", .region = "r1", .jurisdiction = "AA"};
  Place abroad_{
      .chip = "y1", .maker = "yco", .region = "r2", .jurisdiction = "BB", .owner = Owner::kRented};
  std::array<RouteCandidate, 2> candidates_{
      {{.member = "a", .place = &home_, .serves_model = true, .context_tokens = 100},
       {.member = "b", .place = &abroad_, .serves_model = true, .context_tokens = 1000}}};
  RouteRequest request_{.model = "m", .prompt_tokens = 50, .is_estimate = false};
  RoutePolicy policy_;
};

TEST_F(Routing, TheLeastBusyFirst) {
  candidates_[0].load.in_flight = 3;
  EXPECT_THAT(Decide().ranked, ElementsAre(1, 0));
  candidates_[1].load.running = 4;
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
}

TEST_F(Routing, AFasterChipMayHaveMoreToDo) {
  candidates_[0].load = {.in_flight = 3, .decode_tokens_s = 1000};
  candidates_[1].load = {.in_flight = 1, .decode_tokens_s = 100};
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
}

TEST_F(Routing, WhatIsCachedNeedNotBeComputed) {
  candidates_[1].cached_tokens = 50;
  EXPECT_THAT(Decide().ranked, ElementsAre(1, 0));
  candidates_[1].load.in_flight = 1;  // 2.56 s of decoding against 0.05 s of prompt
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
}

TEST_F(Routing, WhatAllAskForIsNoReasonToGoWhereItIs) {
  candidates_[1].cached_tokens = 50;
  candidates_[1].shared_tokens = 50;
  candidates_[1].load.prefill_tokens = 1;
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
  candidates_[1].shared_tokens = 45;  // of one in ten
  EXPECT_THAT(Decide().ranked, ElementsAre(1, 0));
}

TEST_F(Routing, ALongPromptGoesWhereItFits) {
  request_.prompt_tokens = 500;
  const auto decision = Decide();
  EXPECT_THAT(decision.ranked, ElementsAre(1));
  EXPECT_EQ(decision.verdicts[0].code, RouteCode::kContext);
  request_.prompt_tokens = 1000;
  EXPECT_EQ(Decide().refusal->kind, RefusalKind::kTooLong);
  request_.is_estimate = true;  // may be twice too high
  EXPECT_THAT(Decide().ranked, ElementsAre(1));
}

TEST_F(Routing, AnUnknownModel) {
  for (auto& candidate : candidates_) candidate.serves_model = false;
  const auto refusal = Decide().refusal;
  EXPECT_EQ(refusal->kind, RefusalKind::kNoSuchModel);
  EXPECT_EQ(refusal->code, "model_not_found");
}

TEST_F(Routing, AModelThatAMemberNotHeardOfMayServe) {
  for (auto& candidate : candidates_) candidate.serves_model = false;
  candidates_[0].is_unheard = true;
  policy_.certificates = CertificateDemand::kAlways;
  auto refusal = Decide().refusal;
  EXPECT_EQ(refusal->kind, RefusalKind::kUnavailable);
  EXPECT_THAT(refusal->message, HasSubstr("a has not said yet which models it serves"));
  candidates_[0].is_forbidden = true;
  EXPECT_EQ(Decide().refusal->code, "policy_forbidden");
}

TEST_F(Routing, PolicyRefusesAndSaysWhy) {
  policy_.residency = {{.tag = "aa-only", .jurisdictions = {"AA"}}};
  const std::vector<std::string> tags{"aa-only"};
  request_.residency = tags;
  candidates_[0].reach = Reach::kLost;
  // It may run on "a", which is away: that passes.
  auto refusal = Decide().refusal;
  EXPECT_EQ(refusal->kind, RefusalKind::kUnavailable);
  EXPECT_THAT(refusal->message, HasSubstr("a does not answer"));
  candidates_[0].is_forbidden = true;
  refusal = Decide().refusal;
  EXPECT_EQ(refusal->kind, RefusalKind::kPolicy);
  EXPECT_EQ(refusal->code, "policy_forbidden");
}

TEST_F(Routing, ATagThatNobodyDefinedKeepsTheRequestFromEverywhere) {
  const std::vector<std::string> tags{"typo"};
  request_.residency = tags;
  const auto refusal = Decide().refusal;
  EXPECT_EQ(refusal->code, "policy_residency");
  EXPECT_THAT(refusal->message, HasSubstr("'typo'"));
}

TEST_F(Routing, RulesOfATenant) {
  policy_.tenants = {{.name = "t", .owners = {"own"}}, {.name = "u", .regions = {"r2"}}};
  request_.tenant = "t";
  EXPECT_THAT(Decide().ranked, ElementsAre(0));
  request_.tenant = "u";
  EXPECT_THAT(Decide().ranked, ElementsAre(1));
  const std::vector<std::string> regions{"r1"};
  request_.regions = regions;
  EXPECT_EQ(Decide().refusal->code, "policy_region");
}

TEST_F(Routing, AnAnswerMovesToCertifiedChipsOnly) {
  const Resumption resumption{&home_};
  request_.resumption = &resumption;
  EXPECT_THAT(Decide().ranked, ElementsAre(0));  // the same chip
  candidates_[1].certificate = CertificateState::kInForce;
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
  candidates_[1].certificate = CertificateState::kExpired;
  EXPECT_EQ(Decide().verdicts[1].code, RouteCode::kCertificate);
  policy_.uncertified = {"y1"};
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
  policy_.certificates = CertificateDemand::kAlways;
  EXPECT_THAT(Decide().ranked, ElementsAre(1));
}

TEST_F(Routing, WhoIsAwayAndWhen) {
  candidates_[0].reach = Reach::kBroken;
  candidates_[0].wait_s = 3;
  candidates_[1].reach = Reach::kBusy;
  candidates_[1].wait_s = 2;
  EXPECT_EQ(Decide().refusal->retry_after_s, 2);
  const Resumption resumption{&home_};
  request_.resumption = &resumption;  // has nothing to lose
  EXPECT_THAT(Decide().ranked, ElementsAre(0));
}

TEST_F(Routing, WhoFailedTheRequestIsNotAskedAgain) {
  const std::array<std::string_view, 1> tried{"a"};
  request_.tried = tried;
  const auto decision = Decide();
  EXPECT_THAT(decision.ranked, ElementsAre(1));
  EXPECT_EQ(Why(decision.verdicts[0], request_, candidates_[0]),
            "a has failed this request before");
}

TEST_F(Routing, CostAndEnergyAgainstWaiting) {
  home_.cost_per_hour = 36;  // 0.01 a second; 2.61 s of work at the usual pace
  home_.power_watts = 3600;
  candidates_[1].load.in_flight = 1;  // 2.56 s more to wait
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
  policy_.weights.cost_s = 90;
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
  policy_.weights.cost_s = 110;
  EXPECT_THAT(Decide().ranked, ElementsAre(1, 0));
  policy_.weights = {.energy_s = 1.1};
  EXPECT_THAT(Decide().ranked, ElementsAre(1, 0));
}

TEST_F(Routing, WhoKeepsTheServiceLevelComesFirst) {
  request_.wanted_itl_ms = 20;
  candidates_[0].load.itl_ms = 25;
  candidates_[1].load.in_flight = 5;
  EXPECT_THAT(Decide().ranked, ElementsAre(1, 0));
  request_.wanted_itl_ms = 0;
  request_.wanted_ttft_ms = 100;
  candidates_[1].load.prefill_tokens = 100;  // 150 ms at the usual pace
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
}

TEST_F(Routing, ScarceChipsAreKept) {
  policy_.stock = {{.chip = "x1", .hours_per_day = 4}};
  candidates_[0].load.busy_hours = 3.9;
  candidates_[1].load.in_flight = 50;
  EXPECT_THAT(Decide().ranked, ElementsAre(0, 1));
  candidates_[0].load.busy_hours = 4;
  EXPECT_THAT(Decide().ranked, ElementsAre(1, 0));
  policy_.stock[0].is_strict = true;
  EXPECT_THAT(Decide().ranked, ElementsAre(1));
  candidates_[1].is_forbidden = true;
  EXPECT_EQ(Decide().refusal->kind, RefusalKind::kPolicy);
  EXPECT_EQ(Decide().refusal->code, "policy_stock");
}

}  // namespace
}  // namespace switchyard::policy
