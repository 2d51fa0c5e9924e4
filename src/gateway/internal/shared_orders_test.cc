#include "gateway/internal/shared_orders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/internal/clock_text.h"

namespace switchyard::gateway::internal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kEarly = "2026-11-29T03:00:00.000001Z";
constexpr const char* kNoon = "2026-11-29T12:00:00.000000Z";
constexpr const char* kLate = "2026-11-29T23:59:59.999999Z";
const std::string kKey = "o/forbid/maker=x";

FleetOrder Word(bool holds, const std::string& given) {
  return {.kind = OrderKind::kForbid,
          .what = "maker=x",
          .holds = holds,
          .actor = "operator/ann (restored)",
          .given = *ReadUtc(given)};
}

EtcdEntry InEtcd(bool holds, const std::string& given) {
  const std::string time = given.empty() ? "" : fmt::format(R"(,"time":"{}")", given);
  return {kKey, fmt::format(R"({{"actor":"operator/bob","holds":{}{}}})", holds, time)};
}

class SharedOrdersTest : public testing::Test {
 protected:
  bool Forbids() const { return !fleet_.orders().forbidden.empty(); }
  int told_ = 0;
  Fleet fleet_{{}, [this](const FleetChange& change) { told_ += change.subject == "maker=x"; }};
};

TEST_F(SharedOrdersTest, WhatEtcdHasNotHeardOfIsWritten) {
  fleet_.Restore(Word(true, kNoon));
  SharedOrders orders(fleet_, "o/");
  const auto unwritten = orders.Unwritten();
  ASSERT_EQ(unwritten.size(), 1U);
  EXPECT_EQ(unwritten[0].key, kKey);
  EXPECT_EQ(unwritten[0].value,
            fmt::format(R"({{"actor":"operator/ann","holds":true,"time":"{}"}})", kNoon));
  orders.Written(unwritten[0], 7);
  EXPECT_THAT(orders.Unwritten(), IsEmpty());
}

// An entry stays for ever, and an order that was given while etcd was away must outlive a restart.
TEST_F(SharedOrdersTest, AWordFromBeforeTheStartFollowsAnEarlierOneInEtcd) {
  fleet_.Restore(Word(true, kNoon));
  SharedOrders orders(fleet_, "o/");
  EXPECT_TRUE(orders.Take(InEtcd(false, kEarly), 5));
  EXPECT_TRUE(Forbids());
  EXPECT_EQ(orders.Unwritten().size(), 1U);
}

TEST_F(SharedOrdersTest, ALaterWordInEtcdFollowsOneFromBeforeTheStart) {
  fleet_.Restore(Word(true, kNoon));
  SharedOrders orders(fleet_, "o/");
  EXPECT_TRUE(orders.Take(InEtcd(false, kLate), 5));
  EXPECT_FALSE(Forbids());
  EXPECT_THAT(orders.Unwritten(), IsEmpty());
}

TEST_F(SharedOrdersTest, AWordThatLiftsIsRememberedToo) {
  fleet_.Restore(Word(false, kNoon));
  EXPECT_EQ(told_, 0);
  SharedOrders orders(fleet_, "o/");
  EXPECT_TRUE(orders.Take(InEtcd(true, kEarly), 5));
  EXPECT_FALSE(Forbids());
  EXPECT_EQ(orders.Unwritten().size(), 1U);
}

TEST_F(SharedOrdersTest, TheSameWordIsNoNews) {
  fleet_.Restore(Word(true, kNoon));
  SharedOrders orders(fleet_, "o/");
  EXPECT_EQ(told_, 1);
  EXPECT_TRUE(orders.Take(InEtcd(true, kNoon), 5));
  EXPECT_EQ(told_, 1);
  EXPECT_THAT(orders.Unwritten(), IsEmpty());
}

TEST_F(SharedOrdersTest, AgainstAWordWithoutATimeWhatForbidsCounts) {
  fleet_.Restore(Word(true, kNoon));
  SharedOrders forbids(fleet_, "o/");
  EXPECT_TRUE(forbids.Take(InEtcd(false, ""), 5));
  EXPECT_TRUE(Forbids());
  Fleet other({});
  other.Restore(Word(false, kNoon));
  SharedOrders allows(other, "o/");
  EXPECT_TRUE(allows.Take(InEtcd(true, ""), 5));
  EXPECT_THAT(other.orders().forbidden, ElementsAre("maker=x"));
}

// Whatever the clocks of two hosts say.
TEST_F(SharedOrdersTest, AnOrderIsLaterThanAllThatWasKnown) {
  SharedOrders orders(fleet_, "o/");
  const std::string future = "2126-01-01T00:00:00.000000Z";
  EXPECT_TRUE(orders.Take(InEtcd(true, future), 5));
  EXPECT_TRUE(Forbids());
  const EtcdEntry allow =
      orders.Given(fleet_.Obey({.kind = OrderKind::kForbid, .what = "maker=x", .holds = false}));
  EXPECT_THAT(allow.value, HasSubstr("2126-01-01T00:00:00.000001Z"));
  EXPECT_TRUE(orders.Take(InEtcd(true, future), 5));
  EXPECT_FALSE(Forbids());
}

TEST_F(SharedOrdersTest, ATimeThatIsNoneIsTold) {
  SharedOrders orders(fleet_, "o/");
  const auto status = orders.Take(InEtcd(true, "noon"), 5);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("is no order"));
  EXPECT_FALSE(Forbids());
}

TEST(ClockText, ReadsWhatItWrites) {
  for (const char* text : {kEarly, kNoon, kLate}) EXPECT_EQ(UtcText(*ReadUtc(text)), text);
  for (const char* text : {"", "noon", "2026-13-01T00:00:00.000000Z", "2026-11-29T03:00:00Z"}) {
    EXPECT_FALSE(ReadUtc(text)) << text;
  }
}

}  // namespace
}  // namespace switchyard::gateway::internal
