#include "kit/half.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/half.h"

namespace switchyard::chips {
namespace {

// Every pattern, against the host's plain conversion.
TEST(Half, WidensEveryPattern) {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float f16 = tensor::F16ToFloat(half);
    const float bf16 = tensor::BF16ToFloat(half);
    if (std::isnan(f16)) {
      EXPECT_TRUE(std::isnan(F16ToFloat(half))) << bits;
    } else {
      EXPECT_EQ(FloatBits(F16ToFloat(half)), FloatBits(f16)) << bits;
    }
    EXPECT_EQ(FloatBits(Bf16ToFloat(half)), FloatBits(bf16)) << bits;
  }
}

TEST(Half, NarrowsAsTheHostDoes) {
  for (std::uint64_t bits = 0; bits <= 0xffffffffU; bits += 4099) {  // a prime: all exponents
    const float value = FloatOfBits(static_cast<std::uint32_t>(bits));
    EXPECT_EQ(FloatToF16(value), tensor::FloatToF16(value)) << value;
    EXPECT_EQ(FloatToBf16(value), tensor::FloatToBF16(value)) << value;
  }
}

}  // namespace
}  // namespace switchyard::chips
