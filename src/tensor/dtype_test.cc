#include "tensor/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace switchyard::tensor {
namespace {

TEST(DType, NamesGoBothWays) {
  for (sy_dtype number = 0; number < 200; ++number) {
    const DTypeTraits* traits = FindTraits(number);
    if (traits == nullptr) continue;
    EXPECT_EQ(static_cast<sy_dtype>(traits->dtype), number);
    EXPECT_EQ(DTypeFromName(traits->name), traits->dtype);
    EXPECT_EQ(IsQuantised(traits->dtype), number >= SY_Q4_0);
  }
  EXPECT_EQ(DTypeFromName("q9_z"), std::nullopt);
  EXPECT_EQ(FindTraits(99), nullptr);
}

TEST(DType, RowsFillWholeBlocks) {
  EXPECT_EQ(RowBytes(DType::kF16, 3), 6U);
  EXPECT_EQ(RowBytes(DType::kQ4_K, 512), 288U);
  EXPECT_EQ(RowBytes(DType::kMXFP4, 0), 0U);
  EXPECT_FALSE(RowBytes(DType::kQ4_K, 128));
  EXPECT_FALSE(RowBytes(DType::kF32, -1));
  EXPECT_FALSE(RowBytes(DType::kI64, std::numeric_limits<std::int64_t>::max()));
}

}  // namespace
}  // namespace switchyard::tensor
