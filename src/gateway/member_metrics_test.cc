#include "gateway/member_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/gateway_metrics.h"

namespace switchyard::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MemberMetrics, TellWhatStateEachIsInAndWhatItDid) {
  FleetConfig config;
  config.members = {{.name = "a",
                     .url = "http://127.0.0.1:1",
                     .place = {.chip = "x-1", .maker = "x\"co"},
                     .models = {{.name = "m", .upstream = "m"}}}};
  Fleet fleet(std::move(config));
  const std::string who = R"({member="a",chip="x-1",maker="x\"co")";
  EXPECT_THAT(RenderMembers(*fleet.snapshot()),
              HasSubstr("switchyard_gateway_member" + who + R"(,state="unknown"} 1)"));
  MemberState heard;
  heard.is_heard_of = true;
  fleet.Update("a", heard);
  const Routed routed = fleet.Route({.model = "m"});
  Attempt running = fleet.Begin(routed.member(0), 10);
  fleet.Begin(routed.member(0), 10).Failed(FailureCause::kHandBack);
  const std::string text = RenderMembers(*fleet.snapshot());
  for (const std::string& line :
       {who + R"(,state="ready"} 1)", "_in_flight" + who + "} 1", "_attempts_total" + who + "} 2",
        "_failures_total" + who + R"(,cause="hand_back"} 1)"}) {
    EXPECT_THAT(text, HasSubstr("switchyard_gateway_member" + line + "\n"));
  }
  EXPECT_THAT(text, Not(HasSubstr("cause=\"reset\"")));
}

TEST(GatewayMetrics, CountHandOversOfEachLevelAndCause) {
  GatewayMetrics metrics;
  for (std::size_t cause = 0; cause < kFailureCauses; ++cause) {
    metrics.CountHandOver(HandOverLevel::kTokens, static_cast<FailureCause>(cause));
  }
  const std::string text = metrics.Render();
  for (std::size_t cause = 0; cause < kFailureCauses; ++cause) {
    EXPECT_THAT(text, HasSubstr(fmt::format("hand_overs_total{{level=\"1\",cause=\"{}\"}} 1\n",
                                            Name(static_cast<FailureCause>(cause)))));
  }
}

}  // namespace
}  // namespace switchyard::gateway
