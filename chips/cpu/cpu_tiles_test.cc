// The model of the tile registers, which tests of the tile path stand on, against numbers worked
// out by hand from Intel's Software Developer's Manual.
#define SWITCHYARD_CPU_ISA tiles_test
#define SWITCHYARD_CPU_EMULATED_TILES 1
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>

#include "kernels/tile_registers.h"

namespace switchyard::cpu::tiles_test {
namespace {

// Tile 0 holds sums [2][2], tile 1 signed bytes [2][8], tile 2 unsigned bytes [2][2][4].
TileConfig SmallProduct() {
  TileConfig config = {};
  config.palette = 1;
  for (int tile = 0; tile < 3; ++tile) {
    config.rows[tile] = 2;
    config.row_bytes[tile] = 8;
  }
  return config;
}

TEST(CpuTiles, MultiplySignedBytesByUnsignedOnes) {
  const std::int8_t a[2][8] = {{1, -2, 3, -4, -128, 127, 0, 1}, {-1, -1, -1, -1, 0, 0, 0, 2}};
  const std::uint8_t b[2][8] = {{255, 1, 2, 3, 0, 0, 0, 1}, {1, 2, 3, 4, 255, 255, 255, 255}};
  const std::int32_t before[2][2] = {{5, 0}, {0, std::numeric_limits<std::int32_t>::max()}};
  TileRegisters tiles(SmallProduct());
  tiles.Load<0>(before, 8);
  tiles.Load<1>(a, 8);
  tiles.Load<2>(b, 8);
  tiles.MultiplyAdd<0, 1, 2>();
  std::array<std::int32_t, 4> sums = {};
  tiles.Store<0>(sums.data(), 8);
  EXPECT_EQ(sums[0], 5 + (255 - 2 + 6 - 12) + (-128 + 254 + 0 + 4));
  EXPECT_EQ(sums[1], -4 + (-32640 + 32385 + 0 + 255));
  EXPECT_EQ(sums[2], -(255 + 1 + 2 + 3) + 8);
  EXPECT_EQ(sums[3], std::numeric_limits<std::int32_t>::min() + 508);  // wraps: -1 + 510, from max
}

TEST(CpuTiles, MultiplyBF16InChainsOfTheirOwn) {
  constexpr std::uint16_t kOne = 0x3f80;
  constexpr std::uint16_t kLarge = 0x4b80;  // 2^24: one more is lost
  constexpr std::uint16_t kMinusLarge = 0xcb80;
  constexpr std::uint16_t kSubnormal = 0x0040;
  // Row 0: the even elements add to 2^24 - 2^24, the odd ones 1 + 1. Row 1: subnormals count as 0.
  const std::uint16_t a[2][4] = {{kLarge, kOne, kMinusLarge, kOne}, {kSubnormal, kOne, kOne, 0}};
  // Column 0 takes all elements once; column 1 the odd one of the first pair only.
  const std::uint16_t b[2][4] = {{kOne, kOne, 0, kOne}, {kOne, kOne, 0, 0}};
  const float before[2][2] = {{0.5F, 0.0F}, {0.0F, 0x1p-127F}};
  TileRegisters tiles(SmallProduct());
  tiles.Load<0>(before, 8);
  tiles.Load<1>(a, 8);
  tiles.Load<2>(b, 8);
  tiles.MultiplyAddBF16<0, 1, 2>();
  std::array<float, 4> sums = {};
  tiles.Store<0>(sums.data(), 8);
  EXPECT_EQ(sums[0], 2.5F);  // in one chain, 2^24 would have swallowed the first 1
  EXPECT_EQ(sums[1], 1.0F);
  EXPECT_EQ(sums[2], 2.0F);
  EXPECT_EQ(sums[3], 1.0F);
}

TEST(CpuTiles, MoveRowsByTheirStride) {
  std::array<std::uint8_t, 40> from = {};
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::uint8_t>(i + 1);
  std::array<std::uint8_t, 40> to = {};
  TileRegisters tiles(SmallProduct());
  tiles.Load<1>(from.data(), 20);
  tiles.Store<1>(to.data(), 30);
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::size_t expected = i < 8 ? i + 1 : i >= 30 && i < 38 ? i - 30 + 21 : 0;
    EXPECT_EQ(to[i], expected) << "byte " << i;
  }
  tiles.Zero<1>();
  tiles.Store<1>(to.data(), 30);
  EXPECT_EQ(to, decltype(to){});
}

TEST(CpuTiles, GoOnWhereALoadWasInterrupted) {
  const std::array<std::uint8_t, 16> from = {1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2};
  TileConfig config = SmallProduct();
  config.start_row = 1;
  TileRegisters tiles(config);
  std::array<std::uint8_t, 16> to = {};
  tiles.Load<0>(from.data(), 8);
  tiles.Store<0>(to.data(), 8);  // from the first row again
  EXPECT_EQ(to, (std::array<std::uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2}));
}

TEST(CpuTilesDeathTest, FaultAsTheProcessorDoes) {
  const auto dies = [](auto change) {
    TileConfig config = SmallProduct();
    change(config);
    EXPECT_DEATH(TileRegisters{config}, "");
  };
  dies([](TileConfig& config) { config.palette = 2; });
  dies([](TileConfig& config) { config.reserved[13] = 1; });
  dies([](TileConfig& config) { config.rows[7] = 1; });
  dies([](TileConfig& config) { config.row_bytes[7] = 4; });
  dies([](TileConfig& config) { config.rows[0] = 17; });
  dies([](TileConfig& config) { config.row_bytes[0] = 65; });
  dies([](TileConfig& config) {
    config.rows[8] = 4;
    config.row_bytes[8] = 4;
  });

  EXPECT_DEATH(TileRegisters{SmallProduct()}.Zero<3>(), "");
  EXPECT_DEATH(TileRegisters{TileConfig{}}.Zero<0>(), "");
  const auto refuses_product = [](int tile, int rows, int row_bytes) {
    TileConfig config = SmallProduct();
    config.rows[tile] = static_cast<std::uint8_t>(rows);
    config.row_bytes[tile] = static_cast<std::uint16_t>(row_bytes);
    EXPECT_DEATH((TileRegisters{config}.MultiplyAdd<0, 1, 2>()), "");
  };
  refuses_product(0, 3, 8);
  refuses_product(0, 2, 12);
  refuses_product(1, 2, 12);
  refuses_product(2, 3, 8);
  refuses_product(2, 2, 10);
}

}  // namespace
}  // namespace switchyard::cpu::tiles_test
