#include "activation_rounding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "ops/reference/test_program.h"
#include "tensor/half.h"

namespace switchyard::chips {
namespace {

using ops::Tensor;
using ops::reference::TestProgram;
using tensor::DType;
using testing::Each;
using testing::ElementsAre;

std::vector<float> Wave(std::size_t count, float phase) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = std::sin(phase + 0.7F * static_cast<float>(i)) + 0.3F;
  }
  return values;
}

TEST(RoundActivations, KeepsEightBitsOfTheLargestInABlock) {
  std::vector<float> row = Wave(64, 1);
  row[40] = -8;
  std::vector<float> rounded = row;
  std::vector<float> sum_errors(2);
  RoundActivations(ActivationType::kQ8_1, rounded, sum_errors);
  for (std::size_t i = 0; i < row.size(); ++i) {
    const float step = (i < 32 ? 1.3F : 8.0F) / 127;
    EXPECT_NEAR(rounded[i], row[i], 0.51F * step) << i;
  }
  for (const float error : sum_errors) EXPECT_LT(std::abs(error), 0.02F);
}

TEST(RoundActivations, KeepsZeros) {
  for (const auto type : {ActivationType::kQ8_0, ActivationType::kQ8_K, ActivationType::kF16}) {
    std::vector<float> row(256, 0.0F);
    RoundActivations(type, row, {});
    EXPECT_THAT(row, Each(0.0F));
  }
}

TEST(RoundActivations, GivesTheLargestOfALargeBlockTheCodeBelowZero) {
  std::vector<float> row(256, 0.0F);
  row[0] = 127;
  row[1] = 63.4F;
  row[2] = -127;  // would be 127 steps the other way
  RoundActivations(ActivationType::kQ8_K, row, {});
  EXPECT_FLOAT_EQ(row[0], 127);
  EXPECT_FLOAT_EQ(row[1], 63);
  EXPECT_FLOAT_EQ(row[2], -127);
}

TEST(RoundActivations, FollowsTheTypeOfPlainWeights) {
  EXPECT_EQ(ActivationTypeFor(SY_F32), ActivationType::kAsGiven);
  std::vector<float> row = {std::numbers::pi_v<float>};
  RoundActivations(ActivationTypeFor(SY_BF16), row, {});
  EXPECT_THAT(row, ElementsAre(3.140625F));
}

// What ggml computes for a row of Q4_1 weights, in its own terms: integer dot products of codes.
double ProductInCodes(std::span<const float> x, std::span<const float> weights) {
  std::vector<std::byte> bytes(weights.size() / 32 * sizeof(tensor::BlockQ4_1));
  EXPECT_TRUE(tensor::Quantise(DType::kQ4_1, weights, bytes));
  const auto* block = reinterpret_cast<const tensor::BlockQ4_1*>(bytes.data());
  double total = 0;
  for (; x.size() >= 32; x = x.subspan(32), ++block) {
    float largest = 0;
    for (const float value : x.first(32)) largest = std::max(largest, std::abs(value));
    const float scale = largest / 127;
    int dot = 0;
    int sum = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      const int code = static_cast<int>(std::nearbyint(x[i] * (127 / largest)));
      dot += code * (i < 16 ? block->codes[i] & 15 : block->codes[i - 16] >> 4);
      sum += code;
    }
    const auto half = [](float value) { return tensor::F16ToFloat(tensor::FloatToF16(value)); };
    total += static_cast<double>(tensor::F16ToFloat(block->scale) * half(scale)) * dot +
             static_cast<double>(tensor::F16ToFloat(block->minimum) *
                                 half(scale * static_cast<float>(sum)));
  }
  return total;
}

TEST(RunWithRoundedActivations, EqualsTheProductOfCodes) {
  constexpr std::size_t kLength = 96;
  const std::vector<float> x = Wave(2 * kLength, 2);
  const std::vector<float> w = Wave(6 * kLength, 3);
  TestProgram program;
  const Tensor activations = program.Floats({2, kLength}, x);
  const Tensor plain =
      program.list.Linear(activations, program.Weight({6, kLength}, w, DType::kQ4_1));
  const Tensor grouped =
      program.list.GroupedLinear(activations, program.Weight({3, 2, kLength}, w, DType::kQ4_1),
                                 program.Integers({2, 1}, {2, 0}));
  const Tensor batched = program.list.BatchedLinear(
      program.Floats({1, 2, kLength}, x), program.Weight({2, 3, kLength}, w, DType::kQ4_1));
  ASSERT_TRUE(program.Run(RunWithRoundedActivations));

  const auto expected = [&](std::size_t x_row, std::size_t w_row) {
    return ProductInCodes(std::span(x).subspan(x_row * kLength, kLength),
                          std::span(w).subspan(w_row * kLength, kLength));
  };
  const std::vector<float> plain_rows = program.Read(plain);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(plain_rows[i], expected(i / 6, i % 6), 1e-4);
  const std::vector<float> grouped_rows = program.Read(grouped);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(grouped_rows[i], expected(i / 2, (i < 2 ? 4 : 0) + i % 2), 1e-4);
  }
  const std::vector<float> batched_rows = program.Read(batched);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(batched_rows[i], expected(i / 3, i), 1e-4);
}

TEST(RunWithRoundedActivations, LeavesOtherOperationsAndFullWeightsAlone) {
  TestProgram program;
  const std::vector<float> x = Wave(32, 4);
  const Tensor activations = program.Floats({1, 32}, x);
  const Tensor product = program.list.Linear(activations, program.Weight({1, 32}, Wave(32, 5)));
  const Tensor sum = program.list.Add(activations, activations);
  ASSERT_TRUE(program.Run(RunWithRoundedActivations));
  const float rounded = program.Read(product)[0];
  const std::vector<float> doubled = program.Read(sum);
  ASSERT_TRUE(program.Run());
  EXPECT_EQ(rounded, program.Read(product)[0]);
  EXPECT_EQ(doubled, program.Read(sum));
}

}  // namespace
}  // namespace switchyard::chips
