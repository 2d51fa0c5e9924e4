#include "engine/token_rules.h"

#include <gtest/gtest.h>

#include <cmath>

namespace switchyard::engine {
namespace {

// Which of eight tokens are forbidden after `answer`, as letters.
std::string Forbidden(const TokenRules& rules, const std::vector<TokenId>& answer) {
  std::vector<float> logits(8, 1.0F);
  const std::vector<TokenId> ends = {7, 99};
  const std::vector<const std::vector<TokenId>*> all = {&ends};
  Forbid(rules, answer, all, logits);
  std::string letters;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isinf(logits[i])) letters += static_cast<char>('0' + i);
  }
  return letters;
}

TEST(TokenRules, NothingEndsAnAnswerBeforeItsLeastLength) {
  EXPECT_EQ(Forbidden({.min_tokens = 2}, {}), "7");
  EXPECT_EQ(Forbidden({.min_tokens = 2}, {1}), "7");
  EXPECT_EQ(Forbidden({.min_tokens = 2}, {1, 1}), "");
}

TEST(TokenRules, OnlyAllowedTokensMayCome) {
  EXPECT_EQ(Forbidden({.allowed = {1, 3, 200}}, {}), "024567");
}

TEST(TokenRules, TheLastTokenOfABadWordIsForbiddenBehindItsOthers) {
  const TokenRules rules{.bad = {{5}, {1, 2, 3}, {}}};
  EXPECT_EQ(Forbidden(rules, {}), "5");
  EXPECT_EQ(Forbidden(rules, {1}), "5");
  EXPECT_EQ(Forbidden(rules, {0, 1, 2}), "35");
  EXPECT_EQ(Forbidden(rules, {1, 2, 0}), "5");
}

}  // namespace
}  // namespace switchyard::engine
