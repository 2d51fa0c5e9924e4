// Dot products of quantised panels with six tokens or more by tile instructions: in one of them a
// block's codes meet the high or the low activation bytes of every token. The integer sums are
// exact and enter the float sums by the operations of linear_int8.cc's loop, so which of the two
// loops ran cannot be told from the results.
//
// A tile's sums leave it through memory, which takes as long as to make them, and the vector
// operations that follow take as long again. So a block is multiplied while the one before it is
// added up, and K goes by in chunks whose activations stay in the nearest cache for all panels.
#pragma once

#include "quantised_blocks.h"
#include "tile_registers.h"

#if defined(SY_TILES)
namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

constexpr int kBlocksOfChunk = 8;
static_assert(kBlocksOfChunk % kGroupBlocksOfHalves == 0 &&
              kBlocksOfChunk % kGroupBlocksOfBytes == 0);

// Registers: 0 and 1 are the sums [tokens][16 lanes] of the high and of the low bytes, 2 and 3 the
// same of the next product; 4 and 5 the bytes [tokens][elements], high and low; 6 the codes
// [elements / 4][16 lanes][4]. The elements are a block, or a half of one whose scales are by 16.
template <int kTokens, int kHalves>
TileConfig ConfigureProducts() {
  constexpr int kElements = kBlock / kHalves;
  TileConfig config = {};
  config.palette = 1;
  const auto shape = [&](int tile, int rows, int row_bytes) {
    config.rows[tile] = static_cast<uint8_t>(rows);
    config.row_bytes[tile] = static_cast<uint16_t>(row_bytes);
  };
  for (int tile = 0; tile < 4; ++tile) shape(tile, kTokens, kVectorBytes);
  shape(4, kTokens, kElements);
  shape(5, kTokens, kElements);
  shape(6, kElements / 4, kVectorBytes);
  return config;
}

// One panel's chunk of K with a whole tile of activations.
template <class Code, Zero kZero, class Scale, int kTokens>
class TileChunk {
 public:
  // `next` is the chunk to fetch into the caches meanwhile: no walk that a processor foresees.
  SY_METHOD TileChunk(TileRegisters& tiles, const PanelLayout& layout, const uint8_t* group,
                      const uint8_t* next, const ActivationBlock* x, int blocks)
      : tiles_(tiles), layout_(layout), group_(group), next_(next), x_(x), blocks_(blocks) {}

  // Adds to the float sums out[tokens][lanes], which begin at 0.
  SY_METHOD void Run(bool is_first, float* out) {
    if constexpr (kIsPacked) Unpack();
    Float total[kTokens];
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) total[t] = is_first ? Float{} : Load(out + t * kLanes);
    Multiply<0>(0, 0);
    const uint8_t* group = group_;
    for (int b = 0; b < blocks_; b += Scale::kGroupBlocks) {
      const Scale scales = Scale::Open(layout_, group);
      for (int i = 0; i < Scale::kGroupBlocks && b + i < blocks_; i += 2) {
        AddProduct<0>(b + i, i, scales, total);
        if (b + i + 1 < blocks_) AddProduct<kHalves == 1>(b + i + 1, i + 1, scales, total);
      }
      group += layout_.group_bytes;
    }
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) Store(out + t * kLanes, total[t]);
  }

 private:
  static constexpr int kHalves = Scale::kHalves;
  static constexpr int kElements = kBlock / kHalves;
  static constexpr int kUnpackedBytes = 8 * kVectorBytes;
  static constexpr bool kIsPacked = Code::kVectors < 8;  // whole bytes lie as a tile takes them
  static_assert(!Code::kSigned);

  SY_METHOD const uint8_t* PackedCodes(int b) const {
    return group_ + b / Scale::kGroupBlocks * layout_.group_bytes + layout_.codes +
           b % Scale::kGroupBlocks * Code::kVectors * kVectorBytes;
  }
  SY_METHOD const uint8_t* Codes(int b) const {
    if constexpr (kIsPacked) return unpacked_ + b * kUnpackedBytes;
    return PackedCodes(b);
  }
  SY_METHOD void Unpack() {
    for (int b = 0; b < blocks_; ++b) {
      Bytes w[8];
      Code::LoadGroups(PackedCodes(b), w);
      for (int g = 0; g < 8; ++g) {
        StoreBytes(unpacked_ + b * kUnpackedBytes + g * kVectorBytes, w[g]);
      }
    }
  }

  // Into sums 2 * kSet and 2 * kSet + 1.
  template <int kSet>
  SY_METHOD void Multiply(int b, int half) {
    const ActivationBlock* x = x_ + b * kTokens;
    tiles_.template Zero<2 * kSet>();
    tiles_.template Zero<2 * kSet + 1>();
    tiles_.template Load<4>(x->high + half * kElements, sizeof(ActivationBlock));
    tiles_.template Load<5>(x->low + half * kElements, sizeof(ActivationBlock));
    tiles_.template Load<6>(Codes(b) + half * kElements / 4 * kVectorBytes, kVectorBytes);
    tiles_.template MultiplyAdd<2 * kSet, 4, 6>();
    tiles_.template MultiplyAdd<2 * kSet + 1, 5, 6>();
  }
  template <int kSet>
  SY_METHOD void Keep() {
    tiles_.template Store<2 * kSet>(sums_[kSet][0], kVectorBytes);
    tiles_.template Store<2 * kSet + 1>(sums_[kSet][1], kVectorBytes);
  }

  // Block b, the group's `index`-th, whose first product is in set kSet; starts the next block's.
  template <int kSet>
  SY_METHOD void AddProduct(int b, int index, const Scale& scales, Float (&total)[kTokens]) {
    if constexpr (kHalves == 2) {
      Multiply<1>(b, 1);
      Keep<0>();
      if (b + 1 < blocks_) Multiply<0>(b + 1, 0);
      Keep<1>();
    } else {
      if (b + 1 < blocks_) Multiply<1 - kSet>(b + 1, 0);
      Keep<kSet>();
    }
    const int64_t block_bytes = layout_.group_bytes / Scale::kGroupBlocks;
    for (int64_t line = 0; line < block_bytes; line += 64) {
      __builtin_prefetch(next_ + b * block_bytes + line);
    }
    BlockScales s;
    scales.Read(index, s);
    const ActivationBlock* x = x_ + b * kTokens;
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) {
      Int sum[kHalves];
      for (int half = 0; half < kHalves; ++half) {
        const int set = kHalves == 2 ? half : kSet;
        sum[half] = (LoadInt(sums_[set][0][t]) << 7) + StartSum<kZero>(x[t], half) +
                    LoadInt(sums_[set][1][t]);
      }
      total[t] = AddBlock<Scale>(total[t], sum, s, x[t]);
    }
  }

  TileRegisters& tiles_;
  const PanelLayout& layout_;
  const uint8_t* group_;
  const uint8_t* next_;
  const ActivationBlock* x_;
  const int blocks_;
  alignas(64) int32_t sums_[2][2][kTokens][kLanes];  // of each set, high and low
  alignas(64) uint8_t unpacked_[kIsPacked ? kBlocksOfChunk * kUnpackedBytes : 1];
};

// A whole tile of activations with each of the panels.
template <class Code, Zero kZero, class Scale, int kTokens>
void TilePanels(const PanelLayout& layout, const uint8_t* weight, int panels, const void* x,
                float* out) {
  TileRegisters tiles(ConfigureProducts<kTokens, Scale::kHalves>());
  const auto* activations = static_cast<const ActivationBlock*>(x);
  const auto blocks = static_cast<int>(layout.k / kBlock);
  for (int b = 0; b < blocks; b += kBlocksOfChunk) {
    const int count = blocks - b < kBlocksOfChunk ? blocks - b : kBlocksOfChunk;
    const uint8_t* first = weight + b / Scale::kGroupBlocks * layout.group_bytes;
    for (int p = 0; p < panels; ++p) {
      const uint8_t* group = first + p * layout.panel_bytes;
      const uint8_t* next = p + 1 < panels
                                ? group + layout.panel_bytes
                                : first + kBlocksOfChunk / Scale::kGroupBlocks * layout.group_bytes;
      TileChunk<Code, kZero, Scale, kTokens> chunk(tiles, layout, group, next,
                                                   activations + b * kTokens, count);
      chunk.Run(b == 0, out + p * kTokens * kLanes);
    }
  }
}

}  // namespace
}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
#endif
