// Dot products of quantised panels with six tokens or more by tile instructions. Codes, and the
// high and the low part of activations, are spread to BF16 numbers, which hold them exactly; so
// both parts' products add up in one tile of floats, where byte instructions would need a tile of
// integers for each. The sum of the high parts, a small integer times 128, and that of the low ones
// are exact, and adding the second to the first rounds once, as turning linear_int8.cc's integer to
// a float does; from there on the operations are the same. So which of the two loops ran cannot be
// told from the results.
//
// A tile's sums leave it through memory. K goes by in chunks: all products of a chunk, and then all
// additions to the float sums, so that no load waits for a store. A chunk's codes are spread once
// for all tiles.
#pragma once

#include "quantised_blocks.h"
#include "tile_registers.h"

#if defined(SY_TILES)
namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

constexpr int kBlocksOfChunk = 8;
static_assert(kBlocksOfChunk % kGroupBlocksOfHalves == 0 &&
              kBlocksOfChunk % kGroupBlocksOfBytes == 0);
constexpr int kPanelsOfChunk = 8;  // whose spread codes stay in the second nearest cache

// ---- Spreading codes ----------------------------------------------------------------------------

// A code's value: what it stands for, without scale and minimum.
template <class Code, Zero kZero>
struct CodeValue {
  using Packed = Code;
  static constexpr int Of(int code) {
    if constexpr (kZero == Zero::k8) return code - 8;
    if constexpr (kZero == Zero::k16) return code - 16;
    if constexpr (kZero == Zero::k128) return code - 128;
    if constexpr (kZero == Zero::kHalf32) return code - 32;
    if constexpr (kZero == Zero::kHalf4) return code - 4;
    return code;
  }
};
template <const int8_t (&kValues)[16], Zero kZero>
struct CodeValue<CodeTable<kValues>, kZero> {
  using Packed = Code4;
  static constexpr int Of(int code) { return kValues[code]; }
};

template <class Value>
struct BF16Values {
  static constexpr int kCodes = 1 << Value::Packed::kVectors;
  alignas(64) uint16_t bits[64] = {};
  constexpr BF16Values() {
    for (int i = 0; i < kCodes && i < 64; ++i) {
      bits[i] = static_cast<uint16_t>(
          __builtin_bit_cast(uint32_t, static_cast<float>(Value::Of(i))) >> 16);
    }
  }
};

// Bytes kByte and kByte + 2 of each lane, codes offset by 128, as a pair of BF16 numbers.
template <int kByte>
SY_INLINE Bytes SpreadWide(Int codes) {
  const auto number = [&](int byte) {
    return reinterpret_cast<Uint>(ToFloat(((codes >> (8 * byte)) & 0xff) - 128));
  };
  return reinterpret_cast<Bytes>((number(kByte) >> 16) | (number(kByte + 2) & 0xffff0000U));
}

// A block's codes from a panel to bf16 [16 pairs][lanes][2]: group g of four elements becomes pairs
// (4g, 4g + 2) and (4g + 1, 4g + 3).
template <class Code, Zero kZero>
SY_INLINE void SpreadCodes(const uint8_t* codes, uint8_t* pairs) {
  using Value = CodeValue<Code, kZero>;
  static constexpr BF16Values<Value> kValues;
  const __m512i values = _mm512_load_si512(kValues.bits);
  [[maybe_unused]] const __m512i more = _mm512_load_si512(kValues.bits + 32);
  Bytes w[8];
  Value::Packed::LoadGroups(codes, w);
#pragma GCC unroll 8
  for (int g = 0; g < 8; ++g) {
    Bytes spread[2];
    if constexpr (Value::Packed::kVectors == 8) {
      spread[0] = SpreadWide<0>(reinterpret_cast<Int>(w[g]));
      spread[1] = SpreadWide<1>(reinterpret_cast<Int>(w[g]));
    } else {
      const Words both = reinterpret_cast<Words>(w[g]);
      const auto look_up = [&](Words index) __attribute__((always_inline)) {
        const auto i = reinterpret_cast<__m512i>(index);
        if constexpr (Value::Packed::kVectors == 6) {
          return reinterpret_cast<Bytes>(_mm512_permutex2var_epi16(values, i, more));
        }
        return reinterpret_cast<Bytes>(_mm512_permutexvar_epi16(i, values));
      };
      spread[0] = look_up(both & 0xff);
      spread[1] = look_up(both >> 8);
    }
    StoreBytes(pairs + 2 * g * kVectorBytes, spread[0]);
    StoreBytes(pairs + (2 * g + 1) * kVectorBytes, spread[1]);
  }
}

// ---- Products -----------------------------------------------------------------------------------

struct TileOperands {
  const PanelLayout& layout;
  const uint8_t* weight;
  int panels;
  const void* x;
  int tiles;
  int64_t tile_bytes;
  float* out;
};

// Registers: 0 and 1 are sums [tokens][16 lanes], of the two halves where there are two; 2 and 3
// the activations [tokens][elements], high and low; 4 the codes [elements / 2][16 lanes][2]. The
// elements are a block, or a half of one whose scales are by 16.
template <int kTokens, int kHalves>
TileConfig ConfigureProducts() {
  constexpr int kElements = kBlock / kHalves;
  TileConfig config = {};
  config.palette = 1;
  const auto shape = [&](int tile, int rows, int row_bytes) {
    config.rows[tile] = static_cast<uint8_t>(rows);
    config.row_bytes[tile] = static_cast<uint16_t>(row_bytes);
  };
  shape(0, kTokens, kVectorBytes);
  shape(1, kTokens, kVectorBytes);
  shape(2, kTokens, kElements * 2);
  shape(3, kTokens, kElements * 2);
  shape(4, kElements / 2, kVectorBytes);
  return config;
}

template <class Code, Zero kZero, class Scale, int kTokens>
class TileProducts {
 public:
  explicit TileProducts(const TileOperands& operands)
      : operands_(operands), tiles_(ConfigureProducts<kTokens, Scale::kHalves>()) {}

  // Spread codes wait in a cache for several tiles, or are used at once by a single one.
  void Run() {
    const int together = operands_.tiles == 1 ? 1 : kPanelsOfChunk;
    const auto blocks = static_cast<int>(operands_.layout.k / kBlock);
    for (int b = 0; b < blocks; b += kBlocksOfChunk) {
      const int count = blocks - b < kBlocksOfChunk ? blocks - b : kBlocksOfChunk;
      for (int p = 0; p < operands_.panels; p += together) {
        const int end = p + together < operands_.panels ? p + together : operands_.panels;
        for (int i = p; i < end; ++i) Spread(i, b, count, codes_[i - p]);
        for (int tile = 0; tile < operands_.tiles; ++tile) {
          const uint8_t* x = Activations(tile, b);
          const uint8_t* next = tile + 1 < operands_.tiles ? Activations(tile + 1, b)
                                                           : Activations(0, b + kBlocksOfChunk);
          for (int i = p; i < end; ++i) {
            RunChunk(x, i, b, count, codes_[i - p], next + (i - p) * kFetchBytes,
                     operands_.out + (tile * operands_.panels + i) * kTokens * kLanes);
          }
        }
      }
    }
  }

 private:
  static constexpr int kHalves = Scale::kHalves;
  static constexpr int kBlockBytes = kTokens * kTileBlockBytes;
  static constexpr int kSpreadBytes = kBlock * kLanes * 2;
  // Of the activations that come next each panel fetches a part, since a core's own prefetching
  // does not foresee their order. Asking beyond the end is harmless.
  static constexpr int kFetchBytes =
      (kBlocksOfChunk * kBlockBytes / kPanelsOfChunk + 511) / 512 * 512;
  using Chunk = uint8_t[kBlocksOfChunk][kSpreadBytes];

  SY_METHOD const uint8_t* Activations(int tile, int b) const {
    return static_cast<const uint8_t*>(operands_.x) + tile * operands_.tile_bytes +
           int64_t{b} * kBlockBytes;
  }
  SY_METHOD const uint8_t* Group(int panel, int b) const {
    return operands_.weight + panel * operands_.layout.panel_bytes +
           b / Scale::kGroupBlocks * operands_.layout.group_bytes;
  }

  SY_METHOD void Spread(int panel, int b, int count, Chunk& to) const {
    for (int i = 0; i < count; ++i) {
      const uint8_t* codes = Group(panel, b + i) + operands_.layout.codes;
      SpreadCodes<Code, kZero>(codes + i % Scale::kGroupBlocks * Code::kVectors * kVectorBytes,
                               to[i]);
    }
  }

  // One panel's chunk, from block b on, with one tile's.
  SY_METHOD void RunChunk(const uint8_t* x, int panel, int b, int count, const Chunk& codes,
                          const uint8_t* to_fetch, float* out) {
    for (int i = 0; i < count; ++i) {
      Multiply<0>(x + i * kBlockBytes, codes[i], 0, sums_[i][0]);
      if constexpr (kHalves == 2) Multiply<1>(x + i * kBlockBytes, codes[i], 1, sums_[i][1]);
    }
    Float total[kTokens];
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) total[t] = b == 0 ? Float{} : Load(out + t * kLanes);
    const uint8_t* group = Group(panel, b);
    for (int i = 0; i < count; i += Scale::kGroupBlocks) {
      const Scale scales = Scale::Open(operands_.layout, group);
      for (int j = 0; j < Scale::kGroupBlocks && i + j < count; ++j) {
        BlockScales s;
        scales.Read(j, s);
        AddUp(i + j, s, x + (i + j) * kBlockBytes, total);
        constexpr int kPart = kFetchBytes / kBlocksOfChunk;
        for (int line = 0; line < kPart; line += 64) {
          __builtin_prefetch(to_fetch + (i + j) * kPart + line);
        }
      }
      group += operands_.layout.group_bytes;
    }
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) Store(out + t * kLanes, total[t]);
  }

  template <int kSums>
  SY_METHOD void Multiply(const uint8_t* x, const uint8_t* codes, int half,
                          float (&sums)[kTokens][kLanes]) {
    x += half * kTilePlaneBytes / 2;
    tiles_.template Load<2>(x, kTilePlaneBytes);
    tiles_.template Load<3>(x + kTokens * kTilePlaneBytes, kTilePlaneBytes);
    tiles_.template Load<4>(codes + half * kSpreadBytes / 2, kVectorBytes);
    tiles_.template Zero<kSums>();
    tiles_.template MultiplyAddBF16<kSums, 2, 4>();  // high first: see above
    tiles_.template MultiplyAddBF16<kSums, 3, 4>();
    tiles_.template Store<kSums>(sums, kVectorBytes);
  }

  SY_METHOD void AddUp(int i, const BlockScales& s, const uint8_t* x, Float (&total)[kTokens]) {
    const auto* of = reinterpret_cast<const float*>(x + 2 * kTokens * kTilePlaneBytes);
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) {
      Float sum[kHalves];
      for (int half = 0; half < kHalves; ++half) sum[half] = Load(sums_[i][half][t]);
      total[t] = AddBlock<Scale>(
          total[t], sum, s,
          {of[t], of[kTokens + t], {of[2 * kTokens + t], of[3 * kTokens + t]}});
    }
  }

  const TileOperands& operands_;
  TileRegisters tiles_;
  alignas(64) float sums_[kBlocksOfChunk][kHalves][kTokens][kLanes];
  alignas(64) Chunk codes_[kPanelsOfChunk];
};

template <class Code, Zero kZero, class Scale, int kTokens>
void MultiplyTiles(const TileOperands& operands) {
  TileProducts<Code, kZero, Scale, kTokens>(operands).Run();
}

}  // namespace
}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
#endif
