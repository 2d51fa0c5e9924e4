#include "policy/tenant_turns.h"

#include <gtest/gtest.h>

#include <string>

namespace switchyard::policy {
namespace {

TEST(TenantTurns, ANewTenantStartsAtTheLeast) {
  TenantTurns turns;
  const auto a = turns.Arrive("a");
  const auto b = turns.Arrive("b");
  turns.Charge(a, 100);
  turns.Charge(b, 40);
  EXPECT_EQ(turns.served(turns.Arrive("c")), 40);
}

TEST(TenantTurns, WhoComesBackHasSavedNothingAndLostNothing) {
  TenantTurns turns;
  const auto a = turns.Arrive("a");
  auto b = turns.Arrive("b");
  turns.Charge(a, 100);
  turns.Charge(b, 10);
  turns.Leave(b);
  b = turns.Arrive("b");
  EXPECT_EQ(turns.served(b), 100);  // a alone was there: nothing saved up
  turns.Charge(b, 50);
  turns.Leave(b);
  b = turns.Arrive("b");
  EXPECT_EQ(turns.served(b), 150);  // it can't shed what it had by leaving
}

TEST(TenantTurns, TwoRequestsOfOneTenantShareACounter) {
  TenantTurns turns;
  const auto a = turns.Arrive("a");
  EXPECT_EQ(a, turns.Arrive("a"));
  turns.Leave(a);
  turns.Charge(a, 7);
  EXPECT_EQ(turns.served(turns.Arrive("a")), 7);
}

TEST(TenantTurns, ForgetsTenantsThatAreGone) {
  TenantTurns turns;
  const auto resident = turns.Arrive("resident");
  for (int i = 0; i < 1000; ++i) {
    const auto guest = turns.Arrive(std::to_string(i));
    turns.Charge(guest, 5);
    turns.Charge(resident, 5);
    turns.Leave(guest);
  }
  EXPECT_LT(turns.known(), 4U);
}

}  // namespace
}  // namespace switchyard::policy
