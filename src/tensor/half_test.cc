#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace switchyard::tensor {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::uint32_t Bits(float value) { return std::bit_cast<std::uint32_t>(value); }

// IEEE 754-2019, 3.4: the value of a binary16 from its sign, exponent and fraction.
double MeaningOfF16(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Half, EveryF16MeansWhatTheStandardSays) {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = F16ToFloat(bits);
    if ((bits & 0x7fff) > 0x7c00) {
      ASSERT_TRUE(std::isnan(value)) << i;
    } else if ((bits & 0x7fff) == 0x7c00) {
      ASSERT_EQ(value, (bits & 0x8000) != 0 ? -kInfinity : kInfinity) << i;
    } else {
      ASSERT_EQ(Bits(value), Bits(static_cast<float>(MeaningOfF16(bits)))) << i;
    }
    ASSERT_EQ(std::signbit(value), (bits & 0x8000) != 0) << i;
  }
}

TEST(Half, EveryF16AndBF16SurvivesTheRoundTrip) {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float f16 = F16ToFloat(bits);
    const float bf16 = BF16ToFloat(bits);
    ASSERT_EQ(Bits(bf16), i << 16);
    if (std::isnan(f16)) {
      ASSERT_TRUE(std::isnan(F16ToFloat(FloatToF16(f16)))) << i;
    } else {
      ASSERT_EQ(FloatToF16(f16), bits);
    }
    if (std::isnan(bf16)) {
      ASSERT_TRUE(std::isnan(BF16ToFloat(FloatToBF16(bf16)))) << i;
    } else {
      ASSERT_EQ(FloatToBF16(bf16), bits);
    }
  }
}

// Between two neighbours, everything below the middle goes down, everything above goes up, and the
// middle goes to the even pattern. As this holds for every pair, and rounding is monotonic between
// the points tried, it holds for every float.
template <std::uint16_t (*kNarrow)(float), float (*kWiden)(std::uint16_t)>
void ExpectNearestEven(std::uint16_t largest_finite) {
  for (std::uint16_t low = 0; low < largest_finite; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    const float below = kWiden(low);
    const float above = kWiden(high);
    const auto middle = static_cast<float>((double{below} + double{above}) / 2);
    const std::uint16_t even = low % 2 == 0 ? low : high;
    ASSERT_EQ(kNarrow(middle), even) << low;
    ASSERT_EQ(kNarrow(std::nextafter(middle, 0.0F)), low) << low;
    ASSERT_EQ(kNarrow(std::nextafter(middle, kInfinity)), high) << low;
    ASSERT_EQ(kNarrow(std::nextafter(above, 0.0F)), high) << low;
    ASSERT_EQ(kNarrow(-middle), even | 0x8000) << low;
    ASSERT_EQ(kNarrow(-std::nextafter(middle, 0.0F)), low | 0x8000) << low;
    ASSERT_EQ(kNarrow(-std::nextafter(middle, kInfinity)), high | 0x8000) << low;
  }
}

TEST(Half, NarrowingToF16RoundsToNearestEven) { ExpectNearestEven<FloatToF16, F16ToFloat>(0x7bff); }

TEST(Half, NarrowingToBF16RoundsToNearestEven) {
  ExpectNearestEven<FloatToBF16, BF16ToFloat>(0x7f7f);
}

TEST(Half, TooLargeBecomesInfinity) {
  EXPECT_EQ(FloatToF16(65519.996F), 0x7bff);
  EXPECT_EQ(FloatToF16(65520.0F), 0x7c00);
  EXPECT_EQ(FloatToF16(-1e30F), 0xfc00);
  EXPECT_EQ(FloatToF16(kInfinity), 0x7c00);
  EXPECT_EQ(FloatToBF16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(FloatToBF16(-kInfinity), 0xff80);
}

TEST(Half, NaNWithOnlyLowBitsStaysNaN) {
  const auto value = std::bit_cast<float>(0xff800001U);
  EXPECT_TRUE(std::isnan(F16ToFloat(FloatToF16(value))));
  EXPECT_TRUE(std::isnan(BF16ToFloat(FloatToBF16(value))));
}

#ifdef __FLT16_MAX__
// The compiler's own type, where it has one; a stride through all floats that is coprime to 2^32.
TEST(Half, AgreesWithTheCompiler) {
  __extension__ using Compilers = _Float16;
  std::uint32_t bits = 0;
  for (int i = 0; i < (1 << 20); ++i, bits += 4099) {
    const auto value = std::bit_cast<float>(bits);
    if (std::isnan(value)) continue;
    ASSERT_EQ(FloatToF16(value), std::bit_cast<std::uint16_t>(static_cast<Compilers>(value)))
        << bits;
  }
}
#endif

}  // namespace
}  // namespace switchyard::tensor
