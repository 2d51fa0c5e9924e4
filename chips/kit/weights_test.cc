#include "kit/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "kit/dequantise.h"
#include "kit/half.h"
#include "tensor/block_formats.h"

namespace switchyard::chips {
namespace {

std::vector<float> Normal(std::size_t count) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

std::vector<std::byte> Encode(tensor::DType dtype, const std::vector<float>& values) {
  std::vector<std::byte> bytes(*tensor::RowBytes(dtype, static_cast<std::int64_t>(values.size())));
  EXPECT_TRUE(tensor::Quantise(dtype, values, bytes));
  return bytes;
}

sy_weight_desc Desc(sy_dtype dtype, std::int64_t rows, std::int64_t columns,
                    const std::vector<std::byte>& bytes) {
  sy_weight_desc desc{};
  desc.struct_size = sizeof desc;
  desc.dtype = dtype;
  desc.rank = 2;
  desc.dims[0] = rows;
  desc.dims[1] = columns;
  desc.data = bytes.data();
  desc.data_bytes = bytes.size();
  return desc;
}

class EachFormat : public testing::TestWithParam<sy_dtype> {};

// Blocks of any bits, too: codes and scales of every group in every place.
TEST_P(EachFormat, IsReadAsTheHostReadsIt) {
  const auto dtype = static_cast<tensor::DType>(GetParam());
  std::vector<std::byte> bytes = Encode(dtype, Normal(1024));
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    std::vector<float> expected(1024);
    std::vector<float> actual(1024);
    ASSERT_TRUE(tensor::Dequantise(dtype, bytes, expected));
    DequantiseRow(GetParam(), bytes.data(), 1024, actual.data());
    for (std::size_t i = 0; i < 1024; ++i) {
      if (std::isnan(expected[i])) continue;
      ASSERT_EQ(actual[i], expected[i]) << "element " << i << " in round " << round;
    }
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  }
}

INSTANTIATE_TEST_SUITE_P(Weights, EachFormat,
                         testing::Values(SY_F32, SY_F16, SY_BF16, SY_Q4_0, SY_Q4_1, SY_Q5_0,
                                         SY_Q5_1, SY_Q8_0, SY_Q2_K, SY_Q3_K, SY_Q4_K, SY_Q5_K,
                                         SY_Q6_K, SY_IQ4_NL, SY_IQ4_XS, SY_MXFP4));

TEST(As16Bit, FillsRowsUpToTheAlignment) {
  const std::vector<std::byte> bytes = Encode(tensor::DType::kF32, {1, -2, 0.5F, 4, 5, 6});
  const WeightImage image = As16Bit(Desc(SY_F32, 2, 3, bytes), SY_F16, 64);
  EXPECT_EQ(image.dtype, sy_dtype{SY_F16});
  EXPECT_EQ(image.row_bytes, 64U);
  EXPECT_EQ(image.layout, "f16 from f32, rows of 64 bytes");
  ASSERT_EQ(image.bytes.size(), 128U);
  std::uint16_t row[32];
  std::memcpy(row, image.bytes.data() + 64, sizeof row);
  EXPECT_EQ(F16ToFloat(row[0]), 4);
  EXPECT_EQ(F16ToFloat(row[2]), 6);
  EXPECT_THAT(std::vector<std::uint16_t>(row + 3, row + 32), testing::Each(0));
}

TEST(As16Bit, RefusesToMakeInfinities) {
  const std::vector<std::byte> bytes = Encode(tensor::DType::kF32, {1, 70000});
  const sy_weight_desc desc = Desc(SY_F32, 1, 2, bytes);
  EXPECT_EQ(Guard([&] { As16Bit(desc, SY_F16, 2); }), SY_UNIMPLEMENTED);
  EXPECT_EQ(LastError(), "a weight's value 70000 is beyond f16");
  EXPECT_EQ(Guard([&] { As16Bit(desc, SY_BF16, 2); }), SY_OK);
}

TEST(CheckWeight, RefusesWhatDoesNotAddUp) {
  const std::vector<std::byte> bytes = Encode(tensor::DType::kQ4_0, Normal(64));
  const sy_weight_desc good = Desc(SY_Q4_0, 2, 32, bytes);
  CheckWeight(good);
  const auto is_refused = [](const sy_weight_desc& desc) {
    return Guard([&] { CheckWeight(desc); }) == SY_INVALID_ARGUMENT;
  };
  sy_weight_desc bad = good;
  bad.dims[1] = 33;
  EXPECT_TRUE(is_refused(bad));
  bad = good;
  bad.dims[0] = std::int64_t{1} << 62;
  EXPECT_TRUE(is_refused(bad));
  bad = good;
  bad.dtype = SY_MXFP4 + 1;
  EXPECT_TRUE(is_refused(bad));
  bad = good;
  bad.data_bytes = 35;
  EXPECT_TRUE(is_refused(bad));
}

}  // namespace
}  // namespace switchyard::chips
