// BF16 panels with tiles of BF16 activations, where the instruction set has tile registers. Theirs
// (TDPBF16PS) is the order of all sums here: for each 32 elements of K one chain of multiply-adds
// over the even and one over the odd elements, both from 0, then the sum of the two onto the total;
// numbers below the normal ones are zeros. A few tokens follow that order by vector instructions,
// so that rows do not depend on how many they are.
//
// Activations are bf16 [tokens][k], k a whole number of steps.
#pragma once

#include "simd.h"
#include "tile_registers.h"

#if defined(SY_TILES)
namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

constexpr int kBF16Step = kBlock;  // elements of K that one tile instruction takes
constexpr int kBytesOfStep = kBF16Step * kLanes * 2;

// Subnormal numbers are zeros for as long as this lives, in operands and results.
class FlushedSubnormals {
 public:
  FlushedSubnormals() : before_(_mm_getcsr()) {
    constexpr unsigned kFlush = 0x8000;     // FTZ
    constexpr unsigned kOperands = 0x0040;  // DAZ
    _mm_setcsr(before_ | kFlush | kOperands);
  }
  ~FlushedSubnormals() { _mm_setcsr(before_); }
  FlushedSubnormals(const FlushedSubnormals&) = delete;
  FlushedSubnormals& operator=(const FlushedSubnormals&) = delete;

 private:
  const unsigned before_;
};

SY_INLINE Float EvenOf(Int pairs) { return AsFloat(pairs << 16); }
SY_INLINE Float OddOf(Int pairs) {
  return AsFloat(pairs & SetInt(static_cast<int32_t>(0xffff0000U)));
}

// Not inlined, so that no operation moves out of FlushedSubnormals' life.
template <int kPanels, int kTokens>
__attribute__((noinline)) void FewBF16(const PanelLayout& layout, const uint8_t* weight,
                                       const uint16_t* x, float* out, int out_panel) {
  Float total[kPanels][kTokens];
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) total[p][t] = Float{};
  }
  for (int64_t k = 0; k < layout.k; k += kBF16Step) {
    Float even[kPanels][kTokens];
    Float odd[kPanels][kTokens];
    for (int p = 0; p < kPanels; ++p) {
      for (int t = 0; t < kTokens; ++t) even[p][t] = odd[p][t] = Float{};
    }
#pragma GCC unroll 4
    for (int pair = 0; pair < kBF16Step / 2; ++pair) {
      Float x_even[kTokens];
      Float x_odd[kTokens];
      for (int t = 0; t < kTokens; ++t) {
        const Int pairs = SetInt(*reinterpret_cast<const IntAt*>(x + t * layout.k + k + 2 * pair));
        x_even[t] = EvenOf(pairs);
        x_odd[t] = OddOf(pairs);
      }
      for (int p = 0; p < kPanels; ++p) {
        const Int w =
            reinterpret_cast<Int>(LoadBytes(weight + p * layout.panel_bytes + pair * kVectorBytes));
        for (int t = 0; t < kTokens; ++t) {
          even[p][t] = Fma(EvenOf(w), x_even[t], even[p][t]);
          odd[p][t] = Fma(OddOf(w), x_odd[t], odd[p][t]);
        }
      }
    }
    for (int p = 0; p < kPanels; ++p) {
      for (int t = 0; t < kTokens; ++t) total[p][t] += even[p][t] + odd[p][t];
    }
    weight += kBytesOfStep;
  }
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) Store(out + p * out_panel + t * kLanes, total[p][t]);
  }
}

template <int kPanels, int kTokens>
void FewBF16Panels(const PanelLayout& layout, const uint8_t* weight, int panels, const uint16_t* x,
                   int tile, int token, float* out) {
  const uint16_t* rows = x + token * layout.k;
  const int out_panel = tile * kLanes;
  out += token * kLanes;
  int p = 0;
  for (; p + kPanels <= panels; p += kPanels) {
    FewBF16<kPanels, kTokens>(layout, weight + p * layout.panel_bytes, rows, out + p * out_panel,
                              out_panel);
  }
  for (; p < panels; ++p) {
    FewBF16<1, kTokens>(layout, weight + p * layout.panel_bytes, rows, out + p * out_panel,
                        out_panel);
  }
}

// Registers: 0 to 3 are the sums [tokens][16 lanes] of four panels, 4 the activations
// [tokens][32 elements], 5 the weights [16 pairs][16 lanes][2].
inline TileConfig ConfigureBF16(int tokens) {
  TileConfig config = {};
  config.palette = 1;
  for (int tile = 0; tile < 5; ++tile) {
    config.rows[tile] = static_cast<uint8_t>(tokens);
    config.row_bytes[tile] = kVectorBytes;
  }
  config.rows[5] = kBF16Step / 2;
  config.row_bytes[5] = kVectorBytes;
  return config;
}

template <int kPanel>
SY_INLINE void MultiplyBF16(TileRegisters& tiles, const uint8_t* weight) {
  tiles.Load<5>(weight, kVectorBytes);
  tiles.MultiplyAddBF16<kPanel, 4, 5>();
}

template <int kPanels>
void TileBF16(TileRegisters& tiles, const PanelLayout& layout, const uint8_t* weight,
              const uint16_t* x, int tokens, float* out) {
  tiles.Zero<0>();
  if constexpr (kPanels == 4) {
    tiles.Zero<1>();
    tiles.Zero<2>();
    tiles.Zero<3>();
  }
  for (int64_t k = 0; k < layout.k; k += kBF16Step) {
    tiles.Load<4>(x + k, layout.k * 2);
    MultiplyBF16<0>(tiles, weight);
    if constexpr (kPanels == 4) {
      MultiplyBF16<1>(tiles, weight + layout.panel_bytes);
      MultiplyBF16<2>(tiles, weight + 2 * layout.panel_bytes);
      MultiplyBF16<3>(tiles, weight + 3 * layout.panel_bytes);
    }
    weight += kBytesOfStep;
  }
  tiles.Store<0>(out, kVectorBytes);
  if constexpr (kPanels == 4) {
    tiles.Store<1>(out + tokens * kLanes, kVectorBytes);
    tiles.Store<2>(out + 2 * tokens * kLanes, kVectorBytes);
    tiles.Store<3>(out + 3 * tokens * kLanes, kVectorBytes);
  }
}

inline void LinearBF16(const PanelLayout* layout, const uint8_t* weight, int panels, const void* x,
                       int tile, float* out) {
  const auto* rows = static_cast<const uint16_t*>(x);
  if (tile > 4) {
    TileRegisters tiles(ConfigureBF16(tile));
    int p = 0;
    for (; p + 4 <= panels; p += 4) {
      TileBF16<4>(tiles, *layout, weight + p * layout->panel_bytes, rows, tile,
                  out + p * tile * kLanes);
    }
    for (; p < panels; ++p) {
      TileBF16<1>(tiles, *layout, weight + p * layout->panel_bytes, rows, tile,
                  out + p * tile * kLanes);
    }
    return;
  }
  const FlushedSubnormals flushed;
  if (tile == 4) return FewBF16Panels<2, 4>(*layout, weight, panels, rows, tile, 0, out);
  if (tile == 2) return FewBF16Panels<4, 2>(*layout, weight, panels, rows, tile, 0, out);
  FewBF16Panels<8, 1>(*layout, weight, panels, rows, tile, 0, out);
}

}  // namespace
}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
#endif
