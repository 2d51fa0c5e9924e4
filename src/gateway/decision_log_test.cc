#include "gateway/decision_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace switchyard::gateway {
namespace {

using testing::ElementsAre;

class Decisions : public testing::Test {
 protected:
  static FleetConfig OneMember() {
    FleetConfig config;
    config.members = {{.name = "a",
                       .url = "http://127.0.0.1:1",
                       .models = {{.name = "m", .upstream = "m"}}}};
    return config;
  }
  std::uint64_t Begin(const std::string& id) {
    return log_.Begin(id, "begin", {.model = "m", .tenant = "t"}, routed_);
  }

  Fleet fleet_{OneMember()};
  Routed routed_ = fleet_.Route({.model = "m"});
  DecisionLog log_{3};
};

TEST_F(Decisions, TellsEachStep) {
  const std::uint64_t number = Begin("r");
  Begin("other");
  log_.Add(number, "again", routed_);
  log_.Note(number, "hedge", "b", {"b was first"});
  const auto told = log_.Find("r");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->model, "m");
  EXPECT_EQ(told->tenant, "t");
  ASSERT_EQ(told->steps.size(), 3U);
  EXPECT_EQ(told->steps[0].occasion, "begin");
  EXPECT_EQ(told->steps[1].member, "a");
  EXPECT_EQ(told->steps[2].member, "b");
  EXPECT_THAT(told->steps[2].why, ElementsAre("b was first"));
  EXPECT_EQ(log_.Find("other")->steps.size(), 1U);
}

TEST_F(Decisions, ForgetsTheOldest) {
  const std::uint64_t number = Begin("r");
  for (const char* id : {"s", "t", "u"}) Begin(id);
  EXPECT_FALSE(log_.Find("r"));
  log_.Add(number, "again", routed_);  // nowhere
  for (const char* id : {"s", "t", "u"}) EXPECT_EQ(log_.Find(id)->steps.size(), 1U) << id;
}

TEST_F(Decisions, OfTwoWithOneIdTheLatest) {
  log_.Add(Begin("r"), "again", routed_);
  Begin("r");
  EXPECT_EQ(log_.Find("r")->steps.size(), 1U);
}

}  // namespace
}  // namespace switchyard::gateway
