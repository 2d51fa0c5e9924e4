#include "access/api_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::access {
namespace {

using testing::HasSubstr;

TEST(ApiKeys, AcceptsTheKeysOfItsFileAlone) {
  const auto keys = ApiKeys::Parse("# ours\nsk-one\n\n  sk-two \r\n");
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->Find("Bearer sk-one"), 0U);
  EXPECT_EQ(keys->Find("bearer sk-two"), 1U);
  EXPECT_EQ(keys->terms()[1].name, "key-2");
  EXPECT_EQ(keys->terms()[1].limits, policy::RateLimits{});
  for (const char* wrong : {"", "Bearer ", "Bearer sk-on", "Bearer sk-onee", "sk-one",
                            "Basic sk-one", "Bearer # ours", "Bearer sk-one sk-two"}) {
    EXPECT_FALSE(keys->Find(wrong)) << wrong;
  }
  EXPECT_EQ(ApiKeys::FirstKey("# ours\n\n sk-one name=a\nsk-two"), "sk-one");
  EXPECT_EQ(ApiKeys::FirstKey("# none"), "");
}

TEST(ApiKeys, ReadsWhatEachMayAskFor) {
  const auto keys = ApiKeys::Parse(
      "sk-1 name=teamA requests_per_minute=60 tokens_per_minute=100000 concurrent=4 priority=-1\n"
      "sk-2\tname=b.c-d_e\n");
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->terms()[0], (KeyTerms{"teamA", {60, 100'000, 4}, -1}));
  EXPECT_EQ(keys->terms()[1].name, "b.c-d_e");
}

TEST(ApiKeys, SeveralKeysOfOneNameAreOneHolder) {
  const auto keys = ApiKeys::Parse("new name=a concurrent=2\nold name=a concurrent=2\nother\n");
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->terms().size(), 2U);
  EXPECT_EQ(keys->Find("Bearer new"), keys->Find("Bearer old"));
  EXPECT_EQ(keys->terms()[*keys->Find("Bearer other")].name, "key-3");
}

TEST(ApiKeys, RefusalsNameTheLineAndNeverAKey) {
  const auto refusal = [](std::string_view text) {
    const auto keys = ApiKeys::Parse(text);
    return keys ? std::string() : keys.error().message;
  };
  EXPECT_THAT(refusal(""), HasSubstr("holds none"));
  EXPECT_THAT(refusal("# nothing\n\n"), HasSubstr("holds none"));
  EXPECT_THAT(refusal("\nsecret b\n"), HasSubstr("line 2"));
  EXPECT_THAT(refusal("secret b\n"), testing::Not(HasSubstr("secret")));
  EXPECT_THAT(refusal("secret concurrent=0\n"), HasSubstr("concurrent must be a whole number"));
  EXPECT_THAT(refusal("secret tokens_per_minute=1k\n"), HasSubstr("tokens_per_minute"));
  EXPECT_THAT(refusal("secret name=\"a b\"\n"), HasSubstr("line 1"));
  EXPECT_THAT(refusal("secret limit=1\n"), HasSubstr("no option"));
  EXPECT_THAT(refusal("a\na\n"), HasSubstr("line 2 of the API keys repeats"));
  EXPECT_THAT(refusal("a name=x concurrent=1\nb name=x\n"), HasSubstr("other limits"));
}

}  // namespace
}  // namespace switchyard::access
