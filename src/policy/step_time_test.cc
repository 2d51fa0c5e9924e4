#include "policy/step_time.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace switchyard::policy {
namespace {

TEST(StepTime, FindsHowManyTokensFit) {
  StepTime time;
  EXPECT_EQ(time.TokensWithin(0.01, 512), 512);
  for (int i = 0; i < 40; ++i) {
    const std::int64_t tokens = 1 + (i * 37) % 200;
    time.Observe(tokens, 0.002 + 0.0001 * static_cast<double>(tokens));
  }
  EXPECT_NEAR(static_cast<double>(time.TokensWithin(0.0121, 512)), 101, 1);
  EXPECT_EQ(time.TokensWithin(10, 512), 512);
  EXPECT_EQ(time.TokensWithin(0.0001, 512), 1);
}

TEST(StepTime, EqualStepsSayNothing) {
  StepTime time;
  for (int i = 0; i < 40; ++i) time.Observe(16, 0.01);
  EXPECT_EQ(time.TokensWithin(0.005, 512), 512);
}

// A base of 2 ms and 0.1 ms a token.
StepTime Known() {
  StepTime time;
  for (int i = 0; i < 40; ++i) {
    const std::int64_t tokens = 1 + (i * 37) % 200;
    time.Observe(tokens, 0.002 + 0.0001 * static_cast<double>(tokens));
  }
  return time;
}

TEST(StepTime, PromptsGetWhatDecodingLeavesOfTheTime) {
  // 32.05 ms hold 300 tokens.
  EXPECT_NEAR(static_cast<double>(Known().PromptTokensBeside(50, 0.03205, 512)), 250, 1);
  EXPECT_EQ(Known().PromptTokensBeside(50, 10, 512), 512);
  EXPECT_EQ(StepTime().PromptTokensBeside(50, 0.01, 512), 512);
}

TEST(StepTime, PromptsAreNotStarvedWhereDecodingTakesAllOfTheTime) {
  // Decoding 100 takes 12 ms; four times that holds 460 tokens.
  EXPECT_NEAR(static_cast<double>(Known().PromptTokensBeside(100, 0.005, 512)), 360, 1);
}

RC_GTEST_PROP(StepTime, PromptsGetAtLeastAsMuchAsDecodes, ()) {
  StepTime time;
  using Steps = std::vector<std::pair<std::uint8_t, std::uint16_t>>;
  for (const auto& [tokens, us] : *rc::gen::arbitrary<Steps>()) {
    time.Observe(tokens + 1, us * 1e-6);
  }
  const auto decoding = *rc::gen::inRange<std::int64_t>(0, 600);
  const auto most = *rc::gen::inRange<std::int64_t>(1, 600);
  const double seconds = *rc::gen::inRange(0, 200) * 1e-3;
  const std::int64_t tokens = time.PromptTokensBeside(decoding, seconds, most);
  RC_ASSERT(tokens >= std::max<std::int64_t>(1, std::min(decoding, most)));
  RC_ASSERT(tokens <= most);
  RC_ASSERT(tokens <= time.PromptTokensBeside(decoding, seconds + 0.01, most));
}

}  // namespace
}  // namespace switchyard::policy
