// Dot products of quantised panels with six or eight tokens by tile instructions: in one of them a
// block's codes meet the high or the low activation bytes of every token. The integer sums are
// exact and enter the float sums by the operations of linear_int8.cc's loop, so which of the two
// loops ran cannot be told from the results.
#pragma once

#include "quantised_blocks.h"
#include "tile_registers.h"

#if defined(SY_TILES)
namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

// Registers: 0 to 3 are the sums [tokens][16 lanes] of the high and of the low bytes, for each half
// of a block; 4 and 5 the bytes [tokens][elements], high and low; 6 the codes
// [elements / 4][16 lanes][4]. A half is the whole block unless its scales are by 16.
template <int kTokens, int kHalves>
TileConfig ConfigureProducts() {
  constexpr int kElements = kBlock / kHalves;
  TileConfig config = {};
  config.palette = 1;
  const auto shape = [&](int tile, int rows, int row_bytes) {
    config.rows[tile] = static_cast<uint8_t>(rows);
    config.row_bytes[tile] = static_cast<uint16_t>(row_bytes);
  };
  for (int tile = 0; tile < 2 * kHalves; ++tile) shape(tile, kTokens, kVectorBytes);
  shape(4, kTokens, kElements);
  shape(5, kTokens, kElements);
  shape(6, kElements / 4, kVectorBytes);
  return config;
}

template <int kTokens, int kHalves>
struct BlockSums {
  alignas(64) int32_t high[kHalves][kTokens][kLanes];
  alignas(64) int32_t low[kHalves][kTokens][kLanes];
};

template <int kHalf, int kTokens, int kHalves>
SY_INLINE void MultiplyHalf(TileRegisters& tiles, const ActivationBlock* x, const uint8_t* codes,
                            BlockSums<kTokens, kHalves>& sums) {
  constexpr int kElements = kBlock / kHalves;
  constexpr int kHigh = 2 * kHalf;
  constexpr int kLow = 2 * kHalf + 1;
  tiles.Zero<kHigh>();
  tiles.Zero<kLow>();
  tiles.Load<4>(x->high + kHalf * kElements, sizeof(ActivationBlock));
  tiles.Load<5>(x->low + kHalf * kElements, sizeof(ActivationBlock));
  tiles.Load<6>(codes + kHalf * kElements / 4 * kVectorBytes, kVectorBytes);
  tiles.MultiplyAdd<kHigh, 4, 6>();
  tiles.MultiplyAdd<kLow, 5, 6>();
  tiles.Store<kHigh>(sums.high[kHalf], kVectorBytes);
  tiles.Store<kLow>(sums.low[kHalf], kVectorBytes);
}

template <class Code, Zero kZero, class Scale, int kTokens>
SY_INLINE void TilePanel(TileRegisters& tiles, const PanelLayout& layout, const uint8_t* panel,
                         const ActivationBlock* x, float* out) {
  constexpr int kHalves = Scale::kHalves;
  constexpr int kUnpackedBytes = 8 * kVectorBytes;
  constexpr bool kIsPacked = Code::kVectors < 8;  // whole bytes lie as a tile takes them
  static_assert(!Code::kSigned);
  alignas(64) uint8_t unpacked[kIsPacked ? Scale::kGroupBlocks * kUnpackedBytes : 1];
  BlockSums<kTokens, kHalves> sums;
  Float total[kTokens];
  for (int t = 0; t < kTokens; ++t) total[t] = Float{};
  const uint8_t* group = panel;
  for (int64_t left = layout.k / kBlock; left > 0; left -= Scale::kGroupBlocks) {
    const Scale scales = Scale::Open(layout, group);
    const uint8_t* codes = group + layout.codes;
    const int blocks = left < Scale::kGroupBlocks ? static_cast<int>(left) : Scale::kGroupBlocks;
    // A group at a time, to give the stores time to reach the cache before a tile is loaded.
    if constexpr (kIsPacked) {
      for (int b = 0; b < blocks; ++b) {
        Bytes w[8];
        Code::LoadGroups(codes + b * Code::kVectors * kVectorBytes, w);
        for (int g = 0; g < 8; ++g)
          StoreBytes(unpacked + b * kUnpackedBytes + g * kVectorBytes, w[g]);
      }
      codes = unpacked;
    }
    for (int b = 0; b < blocks; ++b) {
      MultiplyHalf<0>(tiles, x, codes, sums);
      if constexpr (kHalves == 2) MultiplyHalf<1>(tiles, x, codes, sums);
      BlockScales s;
      scales.Read(b, s);
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        Int sum[kHalves];
        for (int half = 0; half < kHalves; ++half) {
          sum[half] = (LoadInt(sums.high[half][t]) << 7) + StartSum<kZero>(x[t], half) +
                      LoadInt(sums.low[half][t]);
        }
        total[t] = AddBlock<Scale>(total[t], sum, s, x[t]);
      }
      codes += kUnpackedBytes;
      x += kTokens;
    }
    group += layout.group_bytes;
  }
  for (int t = 0; t < kTokens; ++t) Store(out + t * kLanes, total[t]);
}

// A whole tile of activations with each of the panels.
template <class Code, Zero kZero, class Scale, int kTokens>
void TilePanels(const PanelLayout& layout, const uint8_t* weight, int panels, const void* x,
                float* out) {
  TileRegisters tiles(ConfigureProducts<kTokens, Scale::kHalves>());
  for (int p = 0; p < panels; ++p) {
    TilePanel<Code, kZero, Scale, kTokens>(tiles, layout, weight + p * layout.panel_bytes,
                                           static_cast<const ActivationBlock*>(x),
                                           out + p * kTokens * kLanes);
  }
}

}  // namespace
}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
#endif
