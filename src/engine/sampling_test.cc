#include "engine/sampling.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "engine/random.h"

namespace switchyard::engine {
namespace {

// Known answers published with the Random123 library (kat_vectors, philox4x32 10 rounds).
TEST(Random, PhiloxGivesThePublishedAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

SamplingParameters Seeded(std::uint64_t seed) {
  SamplingParameters parameters;
  parameters.seed = seed;
  return parameters;
}

// How often each token is drawn over many seeds.
std::map<TokenId, double> Frequencies(std::vector<float> logits, SamplingParameters parameters,
                                      std::vector<TokenId> prompt = {},
                                      std::vector<TokenId> answer = {}) {
  constexpr int kDraws = 20000;
  std::map<TokenId, double> counts;
  for (int i = 0; i < kDraws; ++i) {
    parameters.seed = static_cast<std::uint64_t>(i);
    auto token = Sample(logits, parameters, prompt, answer);
    EXPECT_TRUE(token);
    counts[*token] += 1.0 / kDraws;
  }
  return counts;
}

TEST(Sampling, GreedyTakesTheLowestIdAmongEquals) {
  std::vector<float> logits{1, 5, 5, 2};
  SamplingParameters parameters;
  parameters.temperature = 0;
  EXPECT_EQ(*Sample(logits, parameters, {}, {}), 1);
}

// As a plain search finds it, at sizes that fill no whole block or vector.
TEST(Sampling, GreedyFindsTheFirstOfTheLargestAnywhere) {
  SamplingParameters parameters;
  parameters.temperature = 0;
  for (const std::size_t size : {1UL, 15UL, 16UL, 4095UL, 4097UL, 49152UL}) {
    std::vector<float> logits(size);
    for (std::size_t i = 0; i < size; ++i) {
      logits[i] = static_cast<float>((i * 2654435761U) % 1009) - 2000;  // negative, with equals
    }
    logits[size / 2] = NAN;
    std::size_t first = size;
    for (std::size_t i = 0; i < size; ++i) {
      if (std::isnan(logits[i])) continue;
      if (first == size || logits[i] > logits[first]) first = i;
    }
    if (first == size) continue;
    EXPECT_EQ(*Sample(logits, parameters, {}, {}), static_cast<TokenId>(first)) << size;
  }
}

TEST(Sampling, NanNeverWins) {
  std::vector<float> logits{NAN, 1, NAN};
  SamplingParameters parameters;
  parameters.temperature = 0;
  EXPECT_EQ(*Sample(logits, parameters, {}, {}), 1);
  parameters.temperature = 1;
  EXPECT_EQ(*Sample(logits, parameters, {}, {}), 1);
}

TEST(Sampling, AllNanIsAnError) {
  std::vector<float> logits{NAN, NAN};
  EXPECT_FALSE(Sample(logits, {}, {}, {}));
}

TEST(Sampling, SameSeedSameToken) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<float> a{1, 1, 1, 1};
    std::vector<float> b{1, 1, 1, 1};
    EXPECT_EQ(*Sample(a, Seeded(seed), {}, {}), *Sample(b, Seeded(seed), {}, {}));
  }
}

TEST(Sampling, FollowsTheSoftmax) {
  // Logits ln 1, ln 2, ln 5 have probabilities 1/8, 2/8, 5/8.
  const auto drawn = Frequencies({0.0F, std::log(2.0F), std::log(5.0F)}, {});
  EXPECT_NEAR(drawn.at(0), 0.125, 0.01);
  EXPECT_NEAR(drawn.at(1), 0.25, 0.012);
  EXPECT_NEAR(drawn.at(2), 0.625, 0.015);
}

TEST(Sampling, TemperatureSharpens) {
  // At temperature 1/2 the weights 1, 2, 5 become 1, 4, 25.
  SamplingParameters parameters;
  parameters.temperature = 0.5F;
  const auto drawn = Frequencies({0.0F, std::log(2.0F), std::log(5.0F)}, parameters);
  EXPECT_NEAR(drawn.at(2), 25.0 / 30.0, 0.01);
}

TEST(Sampling, TopKKeepsTheBest) {
  SamplingParameters parameters;
  parameters.top_k = 2;
  const auto drawn = Frequencies({0, 3, 1, 2}, parameters);
  EXPECT_EQ(drawn.size(), 2U);
  EXPECT_TRUE(drawn.contains(1) && drawn.contains(3));
}

TEST(Sampling, TopPKeepsTheSmallestSetThatReachesIt) {
  SamplingParameters parameters;
  parameters.top_p = 0.7F;  // 5/8 is below, 5/8 + 2/8 above
  const auto drawn = Frequencies({0.0F, std::log(2.0F), std::log(5.0F)}, parameters);
  EXPECT_EQ(drawn.size(), 2U);
  EXPECT_NEAR(drawn.at(2), 5.0 / 7.0, 0.015);
}

TEST(Sampling, MinPIsAShareOfTheBest) {
  SamplingParameters parameters;
  parameters.min_p = 0.3F;  // 1/5 is below, 2/5 above
  const auto drawn = Frequencies({0.0F, std::log(2.0F), std::log(5.0F)}, parameters);
  EXPECT_EQ(drawn.size(), 2U);
  EXPECT_FALSE(drawn.contains(0));
}

TEST(Sampling, TypicalKeepsWhatIsNearTheEntropy) {
  // p = 5/8, 2/8, 1/8: entropy 0.9003; surprises 0.470, 1.386, 2.079: distances 0.430, 0.486, 1.18.
  SamplingParameters parameters;
  parameters.typical_p = 0.6F;
  EXPECT_EQ(Frequencies({0.0F, std::log(2.0F), std::log(5.0F)}, parameters).size(), 1U);
  parameters.typical_p = 0.7F;
  const auto drawn = Frequencies({0.0F, std::log(2.0F), std::log(5.0F)}, parameters);
  EXPECT_EQ(drawn.size(), 2U);
  EXPECT_TRUE(drawn.contains(1) && drawn.contains(2));
}

TEST(Sampling, PenaltiesCountPromptAndAnswerAsTheirAuthorsSay) {
  SamplingParameters parameters;
  parameters.temperature = 0;
  parameters.repetition_penalty = 2;
  std::vector<float> logits{4, 3, -1};
  EXPECT_EQ(*Sample(logits, parameters, std::array<TokenId, 1>{0}, {}), 1);  // 4 / 2 < 3
  logits = {-1, -1.5F};
  EXPECT_EQ(*Sample(logits, parameters, {}, std::array<TokenId, 1>{0}), 1);  // -1 * 2 < -1.5

  parameters = {};
  parameters.temperature = 0;
  parameters.presence_penalty = 1;
  logits = {4, 3.5F};
  EXPECT_EQ(*Sample(logits, parameters, std::array<TokenId, 1>{0}, {}), 0);  // not in the answer
  logits = {4, 3.5F};
  EXPECT_EQ(*Sample(logits, parameters, {}, std::array<TokenId, 1>{0}), 1);

  parameters.presence_penalty = 0;
  parameters.frequency_penalty = 0.3F;
  logits = {4, 3.5F};
  EXPECT_EQ(*Sample(logits, parameters, {}, std::array<TokenId, 1>{0}), 0);  // 3.7
  logits = {4, 3.5F};
  EXPECT_EQ(*Sample(logits, parameters, {}, std::array<TokenId, 2>{0, 0}), 1);  // 3.4
}

TEST(Sampling, LogitBiasForcesAndForbids) {
  SamplingParameters parameters;
  parameters.logit_bias = {{2, 100.0F}};
  EXPECT_EQ(Frequencies({0, 0, 0}, parameters).size(), 1U);
  parameters.logit_bias = {{2, -100.0F}, {9, 5.0F}};  // 9 is outside the vocabulary: no effect
  EXPECT_FALSE(Frequencies({0, 0, 0}, parameters).contains(2));
}

TEST(Sampling, DrawsAreNeverOutsideTheFilter) {
  SamplingParameters parameters;
  parameters.top_p = 1e-9F;
  EXPECT_EQ(Frequencies({1, 2, 3}, parameters).size(), 1U);
}

TEST(Sampling, ValidateNamesTheParameter) {
  SamplingParameters parameters;
  EXPECT_TRUE(Validate(parameters));
  parameters.top_p = NAN;
  auto status = Validate(parameters);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message.find("top_p is nan"), 0U);
}

}  // namespace
}  // namespace switchyard::engine
