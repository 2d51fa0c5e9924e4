// Dot products of F32, F16 and BF16 panels with tiles of activations. Each output is one chain of
// multiply-adds in the order of K; several panels or tokens at once hide their latency.
#include "bf16_products.h"
#include "simd.h"
#include "table_parts.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

#if defined(SY_AVX512) && defined(__AVX512BF16__)
constexpr bool kBF16Dot = true;
#else
constexpr bool kBF16Dot = false;
#endif

// Each token is loaded once for all panels.
template <int kPanels, int kTokens>
SY_INLINE void Meet(const Float (&weights)[kPanels], const float* x,
                    Float (&acc)[kPanels][kTokens]) {
  for (int t = 0; t < kTokens; ++t) {
    const Float v = Set(x[t]);
    for (int p = 0; p < kPanels; ++p) acc[p][t] = Fma(weights[p], v, acc[p][t]);
  }
}

// Each step covers kDepth elements of K.
struct F32Weights {
  static constexpr int kDepth = 1;
  static constexpr int kBytes = kLanes * 4;
  template <int kPanels, int kTokens>
  SY_INLINE void Step(const uint8_t* w, int64_t panel_bytes, const float* x, int,
                      Float (&acc)[kPanels][kTokens]) {
    Float v[kPanels];
    for (int p = 0; p < kPanels; ++p)
      v[p] = Load(reinterpret_cast<const float*>(w + p * panel_bytes));
    Meet(v, x, acc);
  }
};

struct F16Weights {
  static constexpr int kDepth = 1;
  static constexpr int kBytes = kLanes * 2;
  template <int kPanels, int kTokens>
  SY_INLINE void Step(const uint8_t* w, int64_t panel_bytes, const float* x, int,
                      Float (&acc)[kPanels][kTokens]) {
    Float v[kPanels];
    for (int p = 0; p < kPanels; ++p) v[p] = FromF16(LoadHalf(w + p * panel_bytes));
    Meet(v, x, acc);
  }
};

#if defined(SY_TILES)
// bf16_products.h takes BF16.
#elif defined(SY_AVX512) && defined(__AVX512BF16__)
// BF16 pairs of both sides, four bytes a token.
struct BF16Weights {
  static constexpr int kDepth = 2;
  static constexpr int kBytes = kLanes * 4;
  template <int kPanels, int kTokens>
  SY_INLINE void Step(const uint8_t* w, int64_t panel_bytes, const float* x, int,
                      Float (&acc)[kPanels][kTokens]) {
    for (int p = 0; p < kPanels; ++p) {
      const Bytes v = LoadBytes(w + p * panel_bytes);
      for (int t = 0; t < kTokens; ++t) {
        const Float pair = Set(x[t]);
        acc[p][t] = _mm512_dpbf16_ps(acc[p][t], reinterpret_cast<__m512bh>(v),
                                     reinterpret_cast<__m512bh>(pair));
      }
    }
  }
};
#else
// BF16 without an instruction for it: the two elements of a pair are the halves of a 32-bit lane.
struct BF16Weights {
  static constexpr int kDepth = 2;
  static constexpr int kBytes = kLanes * 4;
  SY_INLINE Float Even(Int pair) { return AsFloat(pair << 16); }
  SY_INLINE Float Odd(Int pair) {
    return AsFloat(pair & SetInt(static_cast<int32_t>(0xffff0000U)));
  }
  // Registers are few: where panels are many, they are widened one after the other.
  template <int kPanels, int kTokens>
  SY_INLINE void Step(const uint8_t* w, int64_t panel_bytes, const float* x, int tile,
                      Float (&acc)[kPanels][kTokens]) {
    if constexpr (kPanels > kTokens) {
      for (int p = 0; p < kPanels; ++p) {
        const Int pair = reinterpret_cast<Int>(LoadBytes(w + p * panel_bytes));
        for (int t = 0; t < kTokens; ++t) {
          acc[p][t] = Fma(Even(pair), Set(x[t]), acc[p][t]);
          acc[p][t] = Fma(Odd(pair), Set(x[tile + t]), acc[p][t]);
        }
      }
    } else {
      Int pair[kPanels];
      Float half[kPanels];
      for (int p = 0; p < kPanels; ++p) {
        pair[p] = reinterpret_cast<Int>(LoadBytes(w + p * panel_bytes));
        half[p] = Even(pair[p]);
      }
      Meet(half, x, acc);
      for (int p = 0; p < kPanels; ++p) half[p] = Odd(pair[p]);
      Meet(half, x + tile, acc);
    }
  }
};
#endif

template <class Weights, int kPanels, int kTokens>
void Block(const PanelLayout& layout, const uint8_t* weight, const float* x, int tile, int token,
           float* out) {
  // Tokens of one step lie `tile` floats (or BF16 pairs) apart; F32 under pairs takes two such
  // rows.
  constexpr int kRows = kBF16Dot ? 1 : Weights::kDepth;
  Float acc[kPanels][kTokens];
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) acc[p][t] = Float{};
  }
  const uint8_t* w = weight;
  x += token;
  const int64_t steps = layout.k / Weights::kDepth;
#pragma GCC unroll 4
  for (int64_t k = 0; k < steps; ++k) {
    Weights::template Step<kPanels, kTokens>(w, layout.panel_bytes, x, tile, acc);
    w += Weights::kBytes;
    x += kRows * tile;
  }
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) Store(out + (p * tile + token + t) * kLanes, acc[p][t]);
  }
}

template <class Weights, int kPanels, int kTokens>
void Blocks(const PanelLayout& layout, const uint8_t* weight, int panels, const float* x, int tile,
            int token, float* out) {
  int p = 0;
  for (; p + kPanels <= panels; p += kPanels) {
    Block<Weights, kPanels, kTokens>(layout, weight + p * layout.panel_bytes, x, tile, token,
                                     out + p * tile * kLanes);
  }
  for (; p < panels; ++p) {
    Block<Weights, 1, kTokens>(layout, weight + p * layout.panel_bytes, x, tile, token,
                               out + p * tile * kLanes);
  }
}

template <class Weights>
void Linear(const PanelLayout* layout, const uint8_t* weight, int panels, const void* x, int tile,
            float* out) {
  const auto* rows = static_cast<const float*>(x);
  int token = 0;
  if constexpr (kLanes == 16) {
    for (; token + 8 <= tile; token += 8) {
      Blocks<Weights, 2, 8>(*layout, weight, panels, rows, tile, token, out);
    }
  }
  if constexpr (kLanes == 8) {  // four tokens are too few sums at once
    for (; token + 6 <= tile; token += 6) {
      Blocks<Weights, 2, 6>(*layout, weight, panels, rows, tile, token, out);
    }
  }
  for (; token + 4 <= tile; token += 4) {
    Blocks<Weights, 2, 4>(*layout, weight, panels, rows, tile, token, out);
  }
  if (token + 2 <= tile) {
    Blocks<Weights, 4, 2>(*layout, weight, panels, rows, tile, token, out);
    token += 2;
  }
  if (token < tile) Blocks<Weights, 8, 1>(*layout, weight, panels, rows, tile, token, out);
}

}  // namespace

void SetFloatLinears(KernelTable* table) {
  table->bf16_dot = kBF16Dot;
  table->linear[kPanelF32] = EachTile<Linear<F32Weights>, kLanes>;
  table->linear[kPanelF16] = EachTile<Linear<F16Weights>, kLanes>;
#if defined(SY_TILES)
  table->bf16_depth = kBF16Step;
  table->linear[kPanelBF16] = EachTile<LinearBF16, kLanes>;
#else
  table->bf16_depth = BF16Weights::kDepth;
  table->linear[kPanelBF16] = EachTile<Linear<BF16Weights>, kLanes>;
#endif
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
