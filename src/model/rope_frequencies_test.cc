#include "model/rope_frequencies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::model {
namespace {

using testing::ElementsAre;
using testing::FloatEq;
using testing::HasSubstr;

TEST(InverseFrequencies, FallGeometrically) {
  EXPECT_THAT(InverseFrequencies({.dims = 8, .theta = 10000.0}, {}).value(),
              ElementsAre(1.0F, FloatEq(0.1F), FloatEq(0.01F), FloatEq(0.001F)));
}

TEST(InverseFrequencies, ShrinkLinearly) {
  const RopeConfig rope{
      .dims = 4, .theta = 10000.0, .scaling = RopeScaling::kLinear, .factor = 4.0};
  EXPECT_THAT(InverseFrequencies(rope, {}).value(), ElementsAre(0.25F, FloatEq(0.0025F)));
}

TEST(InverseFrequencies, TakeTheFilesDivisors) {
  const std::vector<float> divisors{1.0F, 8.0F};
  for (const RopeScaling scaling : {RopeScaling::kNone, RopeScaling::kLlama3}) {
    const RopeConfig rope{
        .dims = 4, .theta = 10000.0, .scaling = scaling, .factor = 4.0, .original_context = 256};
    EXPECT_THAT(InverseFrequencies(rope, divisors).value(), ElementsAre(1.0F, FloatEq(0.00125F)));
  }
}

TEST(InverseFrequencies, RefuseDivisorsBesideAnotherRule) {
  const std::vector<float> divisors{1.0F, 8.0F};
  for (const RopeScaling scaling : {RopeScaling::kLinear, RopeScaling::kYarn}) {
    const RopeConfig rope{
        .dims = 4, .theta = 10000.0, .scaling = scaling, .factor = 4.0, .original_context = 256};
    const auto refused = InverseFrequencies(rope, divisors);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::ErrorCode::kUnimplemented);
    EXPECT_THAT(refused.error().message,
                AllOf(HasSubstr("rope_freqs.weight"), HasSubstr("rope.scaling.factor 4")));
  }
}

TEST(InverseFrequencies, KeepShortWavesAndStretchLongOnesAsLlama3) {
  // Wavelengths 2 pi, 62.8, 628 and 6283 of a context of 256: those below 64 are kept, those above
  // 256 divided by 8.
  const RopeConfig rope{.dims = 8,
                        .theta = 10000.0,
                        .scaling = RopeScaling::kLlama3,
                        .factor = 8.0,
                        .original_context = 256};
  EXPECT_THAT(InverseFrequencies(rope, {}).value(),
              ElementsAre(1.0F, FloatEq(0.1F), FloatEq(0.00125F), FloatEq(0.000125F)));
}

TEST(InverseFrequencies, RampBetweenTheEndsAsYarn) {
  // Dimensions turn 1024 / (2 pi) * 10000^(-i/4) times: 163, 16.3, 1.63, 0.163. The ramp from 32
  // turns to 1 begins in dimension 0 (0.71 rounded down) and ends in 3 (2.21 rounded up).
  const RopeConfig rope{.dims = 8,
                        .theta = 10000.0,
                        .scaling = RopeScaling::kYarn,
                        .factor = 2.0,
                        .original_context = 1024};
  EXPECT_THAT(InverseFrequencies(rope, {}).value(),
              ElementsAre(1.0F, FloatEq(0.1F * 5.0F / 6.0F), FloatEq(0.01F * 4.0F / 6.0F),
                          FloatEq(0.0005F)));
}

}  // namespace
}  // namespace switchyard::model
