#include "tensor/block_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace switchyard::tensor {
namespace {

using ::testing::HasSubstr;

constexpr DType kQuantised[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,   DType::kQ5_1,
                                DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K,
                                DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS,
                                DType::kMXFP4};

// The errors that block_formats.h states.
struct StatedError {
  DType dtype;
  double typical;
  float bound;
};

constexpr StatedError kStated[] = {
    {DType::kQ4_0, 0.087, 0.126F}, {DType::kQ4_1, 0.079, 0.068F},   {DType::kQ5_0, 0.043, 0.064F},
    {DType::kQ5_1, 0.038, 0.034F}, {DType::kQ8_0, 0.0054, 0.0042F}, {DType::kQ2_K, 0.33, 0.38F},
    {DType::kQ3_K, 0.156, 0.28F},  {DType::kQ4_K, 0.079, 0.071F},   {DType::kQ5_K, 0.039, 0.036F},
    {DType::kQ6_K, 0.019, 0.040F}, {DType::kIQ4_NL, 0.080, 0.112F}, {DType::kIQ4_XS, 0.080, 0.14F},
    {DType::kMXFP4, 0.113, 0.201F}};

std::vector<std::byte> Packed(DType dtype, std::span<const float> values) {
  std::vector<std::byte> bytes(RowBytes(dtype, static_cast<std::int64_t>(values.size())).value());
  const base::Status status = Quantise(dtype, values, bytes);
  EXPECT_TRUE(status) << status.error().message;
  return bytes;
}

std::vector<float> Expanded(DType dtype, std::span<const std::byte> bytes, std::size_t count) {
  std::vector<float> values(count);
  const base::Status status = Dequantise(dtype, bytes, values);
  EXPECT_TRUE(status) << status.error().message;
  return values;
}

std::vector<float> NormalValues(std::size_t count, float deviation, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

// The worst error over the largest magnitude of its block.
float WorstError(DType dtype, std::span<const float> values) {
  const auto block = static_cast<std::size_t>(Traits(dtype).block_elements);
  const std::vector<float> back = Expanded(dtype, Packed(dtype, values), values.size());
  float worst = 0.0F;
  for (std::size_t start = 0; start < values.size(); start += block) {
    float largest = 0.0F;
    float error = 0.0F;
    for (std::size_t i = start; i < start + block; ++i) {
      largest = std::max(largest, std::abs(values[i]));
      error = std::max(error, std::abs(values[i] - back[i]));
    }
    if (largest > 0.0F) worst = std::max(worst, error / largest);
  }
  return worst;
}

// tests/goldens/make_block_formats.py made the file with the `gguf` package's dequantisers.
TEST(BlockFormats, DequantisesBitForBitAsTheGgufPackage) {
  std::ifstream file("tests/goldens/block_formats.bin", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(text.empty()) << "run from the repository's root";
  std::size_t position = 0;
  int formats = 0;
  const auto take = [&](void* to, std::size_t size) {
    ASSERT_LE(position + size, text.size());
    std::memcpy(to, text.data() + position, size);
    position += size;
  };
  while (position < text.size()) {
    char name[17] = {};
    std::uint32_t size = 0;
    std::uint32_t count = 0;
    take(name, 16);
    take(&size, 4);
    take(&count, 4);
    std::vector<std::byte> blocks(size);
    std::vector<float> expected(count);
    take(blocks.data(), size);
    take(expected.data(), count * sizeof(float));
    const auto dtype = DTypeFromName(name);
    ASSERT_TRUE(dtype) << name;
    const std::vector<float> values = Expanded(*dtype, blocks, count);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected[i]))
          << name << " element " << i << ": " << values[i] << " for " << expected[i];
    }
    ++formats;
  }
  EXPECT_EQ(formats, 14);
}

TEST(BlockFormats, UnalignedRowsAreRead) {
  for (const DType dtype : kQuantised) {
    const std::vector<float> values = NormalValues(512, 1.0F, 3);
    const std::vector<std::byte> bytes = Packed(dtype, values);
    std::vector<std::byte> shifted(1);
    shifted.insert(shifted.end(), bytes.begin(), bytes.end());
    EXPECT_EQ(Expanded(dtype, std::span(shifted).subspan(1), 512), Expanded(dtype, bytes, 512))
        << Name(dtype);
  }
}

TEST(BlockFormats, ErrorStaysWithinTheBound) {
  for (const StatedError& stated : kStated) {
    for (const float deviation : {1.0F, 100.0F}) {
      EXPECT_LE(WorstError(stated.dtype, NormalValues(1 << 16, deviation, 7)), stated.bound)
          << Name(stated.dtype) << " at " << deviation;
    }
  }
}

// Shapes that random weights lack: far from zero, one spike, groups of unlike size.
TEST(BlockFormats, ErrorStaysWithinTheBoundForAwkwardValues) {
  const bool held = rc::check([] {
    std::vector<float> values(256);
    const float offset = static_cast<float>(*rc::gen::inRange(-1000, 1001)) / 100.0F;
    const float spike = static_cast<float>(*rc::gen::inRange(-1000, 1001));
    std::mt19937 generator(*rc::gen::arbitrary<std::uint32_t>());
    std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = offset + uniform(generator) * std::exp2(-static_cast<float>(i / 16));
      if (i % 32 == 0) values[i] = i % 64 == 0 ? 2.0F : -2.0F;  // each small block is large enough
    }
    values[generator() % 256] += spike;
    for (const StatedError& stated : kStated) {
      const float worst = WorstError(stated.dtype, values);
      if (worst > stated.bound) RC_LOG() << Name(stated.dtype) << " " << worst;
      RC_ASSERT(worst <= stated.bound);
    }
  });
  EXPECT_TRUE(held);
}

// Both extremes in every group, the one that decides the scale's sign alternating: what formats
// with one code more on one side find hardest.
TEST(BlockFormats, ErrorStaysWithinTheBoundForOppositeExtremes) {
  std::vector<float> values(1 << 16);
  std::mt19937 generator(5);
  std::uniform_real_distribution<float> uniform(-3.0F, 3.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float sign = i / 16 % 3 == 0 ? 1.0F : -1.0F;
    values[i] = i % 16 == 0 ? sign * 3.0F : i % 16 == 1 ? sign * -3.0F : uniform(generator);
  }
  for (const StatedError& stated : kStated) {
    EXPECT_LE(WorstError(stated.dtype, values), stated.bound) << Name(stated.dtype);
  }
}

TEST(BlockFormats, TypicalErrorIsAsStated) {
  const std::vector<float> values = NormalValues(1 << 16, 0.02F, 11);
  for (const StatedError& stated : kStated) {
    const std::vector<float> back =
        Expanded(stated.dtype, Packed(stated.dtype, values), values.size());
    double error = 0.0;
    double size = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      error += std::pow(double{values[i]} - double{back[i]}, 2);
      size += std::pow(double{values[i]}, 2);
    }
    EXPECT_NEAR(std::sqrt(error / size), stated.typical, 0.03 * stated.typical)
        << Name(stated.dtype);
  }
}

TEST(BlockFormats, ZerosStayZeros) {
  const std::vector<float> zeros(256);
  for (const DType dtype : kQuantised) {
    EXPECT_EQ(Expanded(dtype, Packed(dtype, zeros), 256), zeros) << Name(dtype);
  }
}

TEST(BlockFormats, TinyValuesStayFiniteAndTiny) {
  for (const float size : {1e-8F, 1e-12F, 1e-38F, 1e-45F}) {
    std::vector<float> values(256);
    for (std::size_t i = 0; i < 256; ++i) values[i] = i % 3 == 0 ? size : -size;
    for (const DType dtype : kQuantised) {
      for (const float value : Expanded(dtype, Packed(dtype, values), 256)) {
        ASSERT_LE(std::abs(value), 3e-7F) << Name(dtype) << " at " << size;
      }
    }
  }
}

TEST(BlockFormats, LargestValuesAreKept) {
  std::vector<float> values(256);
  for (std::size_t i = 0; i < 256; ++i) values[i] = i % 2 == 0 ? 65504.0F : -65504.0F;
  for (const StatedError& stated : kStated) {
    EXPECT_LE(WorstError(stated.dtype, values), stated.bound) << Name(stated.dtype);
  }
}

TEST(BlockFormats, ValuesThatNoBlockHoldsAreRefused) {
  std::vector<std::byte> bytes(1024);
  for (const DType dtype : kQuantised) {
    const std::uint64_t size = RowBytes(dtype, 256).value();
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> values(256);
      values[17] = bad;
      const base::Status status = Quantise(dtype, values, std::span(bytes).first(size));
      ASSERT_FALSE(status) << Name(dtype);
      EXPECT_THAT(status.error().message, HasSubstr("element 17"));
    }
  }
  std::vector<float> values(256, 70000.0F);
  EXPECT_FALSE(Quantise(DType::kQ4_0, values, std::span(bytes).first(8 * 18)));
  EXPECT_TRUE(Quantise(DType::kMXFP4, values, std::span(bytes).first(8 * 17)));
}

TEST(BlockFormats, SizesMustMatch) {
  std::vector<float> values(256);
  std::vector<std::byte> bytes(8 * 18 + 1);
  EXPECT_FALSE(Dequantise(DType::kQ4_0, bytes, values));
  EXPECT_FALSE(Quantise(DType::kQ4_0, values, bytes));
  EXPECT_FALSE(Dequantise(DType::kQ4_K, bytes, std::span(values).first(128)));
  EXPECT_FALSE(Dequantise(DType::kI32, std::span(bytes).first(16), std::span(values).first(4)));
  EXPECT_FALSE(Quantise(DType::kI8, std::span(values).first(4), std::span(bytes).first(4)));
  EXPECT_TRUE(Dequantise(DType::kQ4_0, {}, {}));
  EXPECT_TRUE(Quantise(DType::kQ4_K, {}, {}));
}

TEST(BlockFormats, PlainTypesAreConverted) {
  const std::vector<float> values = {0.0F, -0.0F, 1.0F, -1.5F, 65504.0F, 0x1p-24F};
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    EXPECT_EQ(Expanded(dtype, Packed(dtype, values), values.size()), values) << Name(dtype);
  }
  // 65504 needs eleven bits of significand, of which bfloat16 has eight: 2^16 is next.
  const std::vector<float> rounded = {0.0F, -0.0F, 1.0F, -1.5F, 65536.0F, 0x1p-24F};
  EXPECT_EQ(Expanded(DType::kBF16, Packed(DType::kBF16, values), values.size()), rounded);
}

}  // namespace
}  // namespace switchyard::tensor
