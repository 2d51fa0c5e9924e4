#include "cli/fleet_membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "cli/fleet_join.h"
#include "net/http_server.h"

namespace switchyard::cli {
namespace {

// A gateway that counts what comes, and says no as often as it is told to.
class FleetMembershipTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = net::HttpServer::Start({}, [this](net::HttpRequest request, auto responder) {
      if (request.Header("authorization") != "Bearer mk-1") {
        return responder->Respond({.status = 401, .body = "{}"});
      }
      if (refusals_ > 0) {
        --refusals_;
        return responder->Respond({.status = 503, .body = "{}"});
      }
      if (request.method == "POST" && request.Path() == "/switchyard/v1/members") ++renewals_;
      if (request.method == "DELETE" && request.Path() == "/switchyard/v1/members/a") ++ends_;
      responder->Respond({.body = R"({"lease_seconds": 0.6})"});
    });
    ASSERT_TRUE(server);
    server_ = std::move(*server);
  }
  std::unique_ptr<FleetMembership> Join(const std::string& key) {
    return std::make_unique<FleetMembership>(
        std::vector<GatewayAddress>{
            {.url = "http://127.0.0.1:" + std::to_string(server_->port()), .key = key}},
        base::Json{{"name", "a"}}, [](const base::LogRecord&) {});
  }
  bool WaitForRenewals(int wanted) {
    for (int i = 0; i < 1000 && renewals_ < wanted; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return renewals_ >= wanted;
  }

  std::atomic<int> refusals_ = 0;
  std::atomic<int> renewals_ = 0;
  std::atomic<int> ends_ = 0;
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(FleetMembershipTest, RegistersRenewsAndGoes) {
  auto membership = Join("mk-1");
  EXPECT_TRUE(WaitForRenewals(3));
  EXPECT_EQ(ends_, 0);
  membership->Leave();
  EXPECT_EQ(ends_, 1);
  membership.reset();
  EXPECT_EQ(ends_, 1);
}

TEST_F(FleetMembershipTest, AsksAgainUntilItIsTaken) {
  refusals_ = 1;
  const auto membership = Join("mk-1");
  EXPECT_TRUE(WaitForRenewals(1));
}

TEST_F(FleetMembershipTest, TellsOfWhatNoWaitingChanges) {
  const auto refused = Join("mk-wrong");
  for (int i = 0; i < 1000 && !refused->refusal(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(refused->refusal());
  EXPECT_EQ(refused->refusal()->code, base::ErrorCode::kUnauthenticated);
  refusals_ = 1;
  const auto member = Join("mk-1");
  EXPECT_TRUE(WaitForRenewals(1));
  EXPECT_FALSE(member->refusal());
}

JoinOptions Joining(const std::string& url) {
  JoinOptions options;
  options.url = url;
  options.name = "a";
  return options;
}

TEST(JoinFleet, StopsWhereTheAddressIsNone) {
  const auto status = JoinFleet({}, Joining("foo"));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, testing::HasSubstr("'foo'"));
}

TEST_F(FleetMembershipTest, JoinEndsWithARefusal) {
  const auto status =
      JoinFleet({.url = "http://127.0.0.1:" + std::to_string(server_->port()), .key = "mk-wrong"},
                Joining("http://127.0.0.1:9"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, base::ErrorCode::kUnauthenticated);
}

TEST_F(FleetMembershipTest, WhoNeverWasAMemberNeedNotGo) {
  Join("mk-wrong").reset();
  EXPECT_EQ(renewals_, 0);
  EXPECT_EQ(ends_, 0);
}

}  // namespace
}  // namespace switchyard::cli
