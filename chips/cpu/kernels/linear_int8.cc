// Dot products of quantised panels with 15-bit activations: one loop, with a code loader and a
// scale reader for each weight format.
//
// For each block of 32 elements along K: eight groups of four elements meet in four-way byte dot
// products (vpdpbusd where there is one), first with the activations' high bytes, then, the sum
// shifted, with their low ones; and the exact integer sum enters the float sum by one
// Fma with weight scale * activation scale. The float sum therefore runs over blocks in order, for
// one token as for many, which is what makes prefill and decode agree to the bit.
#include <stddef.h>

#include "quantised_blocks.h"
#include "table_parts.h"
#include "tile_products.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

// ---- Four-way dot products ----------------------------------------------------------------------

// The four of group g among the activation bytes that lie `bytes` into a token's block, in every
// lane.
SY_INLINE Int BroadcastGroup(const ActivationBlock& x, size_t bytes, int g) {
  return SetInt(
      *reinterpret_cast<const IntAt*>(reinterpret_cast<const int8_t*>(&x) + bytes + 4 * g));
}

typedef int16_t Shorts __attribute__((vector_size(kVectorBytes)));

#if !defined(SY_VNNI) && (defined(SY_AVX512) || defined(SY_AVX2) || defined(SY_SSSE3))
#define SY_BYTE_PAIRS 1

// The products of neighbouring bytes, added in 16 bits; weights below 128.
SY_INLINE Shorts PairsOf(Bytes weight, Int q) {
#if defined(SY_AVX512)
  return reinterpret_cast<Shorts>(
      _mm512_maddubs_epi16(reinterpret_cast<__m512i>(weight), reinterpret_cast<__m512i>(q)));
#elif defined(SY_AVX2)
  return reinterpret_cast<Shorts>(
      _mm256_maddubs_epi16(reinterpret_cast<__m256i>(weight), reinterpret_cast<__m256i>(q)));
#else
  return reinterpret_cast<Shorts>(
      _mm_maddubs_epi16(reinterpret_cast<__m128i>(weight), reinterpret_cast<__m128i>(q)));
#endif
}

SY_INLINE Int AddPairs(Int acc, Shorts pairs) {
#if defined(SY_AVX512)
  return acc + reinterpret_cast<Int>(
                   _mm512_madd_epi16(reinterpret_cast<__m512i>(pairs), _mm512_set1_epi16(1)));
#elif defined(SY_AVX2)
  return acc + reinterpret_cast<Int>(
                   _mm256_madd_epi16(reinterpret_cast<__m256i>(pairs), _mm256_set1_epi16(1)));
#else
  return acc +
         reinterpret_cast<Int>(_mm_madd_epi16(reinterpret_cast<__m128i>(pairs), _mm_set1_epi16(1)));
#endif
}
#elif !defined(SY_VNNI)
SY_INLINE Int AddPairs(Int acc, Shorts products) {
  const Int pairs = reinterpret_cast<Int>(products);
  return acc + (pairs >> 16) + ((pairs << 16) >> 16);
}

// All bytes signed: every second one as a 16-bit number, whose products fit 16 bits.
SY_INLINE Int DotOfPairs(Int acc, Bytes weight, Int q) {
  const Shorts w = reinterpret_cast<Shorts>(weight);
  const Shorts x = reinterpret_cast<Shorts>(q);
  return AddPairs(AddPairs(acc, (w >> 8) * (x >> 8)), ((w << 8) >> 8) * ((x << 8) >> 8));
}
#endif

// acc[lane] += sum over i of weight[lane * 4 + i] * q[i]; weights below 128.
SY_INLINE Int Dot(Int acc, Bytes weight, Int q) {
#if defined(SY_VNNI)
  return reinterpret_cast<Int>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(acc),
                                                   reinterpret_cast<__m512i>(weight),
                                                   reinterpret_cast<__m512i>(q)));
#elif defined(SY_BYTE_PAIRS)
  return AddPairs(acc, PairsOf(weight, q));
#else
  return DotOfPairs(acc, weight, q);
#endif
}

// The same for signed weight bytes, where the sixteen-bit pairs of Dot could saturate: |weight| and
// the sign moved to q.
SY_INLINE Int DotSigned(Int acc, Bytes weight, Int q) {
#if defined(SY_AVX512)
  const __m512i w = reinterpret_cast<__m512i>(weight);
  const __m512i x = reinterpret_cast<__m512i>(q);
  const __m512i turned = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x);
  return Dot(acc, reinterpret_cast<Bytes>(_mm512_abs_epi8(w)), reinterpret_cast<Int>(turned));
#elif defined(SY_AVX2)
  const __m256i w = reinterpret_cast<__m256i>(weight);
  const __m256i turned = _mm256_sign_epi8(reinterpret_cast<__m256i>(q), w);
  return Dot(acc, reinterpret_cast<Bytes>(_mm256_abs_epi8(w)), reinterpret_cast<Int>(turned));
#elif defined(SY_SSSE3)
  const __m128i w = reinterpret_cast<__m128i>(weight);
  const __m128i turned = _mm_sign_epi8(reinterpret_cast<__m128i>(q), w);
  return Dot(acc, reinterpret_cast<Bytes>(_mm_abs_epi8(w)), reinterpret_cast<Int>(turned));
#else
  return DotOfPairs(acc, weight, q);
#endif
}

// ---- The loop -----------------------------------------------------------------------------------

// Few tokens wait for the weights, and a core's own prefetching ends with each 4 KiB page; so each
// block asks for that so far ahead, in the panels to come as well: into the second nearest cache,
// which has room for more requests under way. Asking beyond the end is harmless.
constexpr int kPrefetchBytes = 8192;

// Adds the dot products of a block's codes with the activation bytes that lie `bytes` into each
// token's block.
template <class Code, int kHalves, int kTokens>
SY_INLINE void AddDots(const Bytes (&w)[8], const ActivationBlock* x, size_t bytes,
                       Int (&sum)[kTokens][kHalves]) {
#if defined(SY_BYTE_PAIRS)
  if constexpr (!Code::kSigned) {
    // Pairs of small codes are added in 16 bits for as long as they fit.
    constexpr int kFit = 32767 / (2 * 128 * ((1 << Code::kVectors) - 1));
    constexpr int kTogether = kFit < 8 / kHalves ? kFit : 8 / kHalves;
    static_assert(kTogether > 0 && 8 % kTogether == 0);
#pragma GCC unroll 8
    for (int first = 0; first < 8; first += kTogether) {
      Shorts pairs[kTokens] = {};
#pragma GCC unroll 8
      for (int g = first; g < first + kTogether; ++g) {
#pragma GCC unroll 8
        for (int t = 0; t < kTokens; ++t) {
          pairs[t] += PairsOf(w[g], BroadcastGroup(x[t], bytes, g));
        }
      }
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        Int& acc = sum[t][kHalves == 2 ? first / 4 : 0];
        acc = AddPairs(acc, pairs[t]);
      }
    }
    return;
  }
#endif
#pragma GCC unroll 8
  for (int g = 0; g < 8; ++g) {
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      Int& acc = sum[t][kHalves == 2 ? g / 4 : 0];
      const Int q = BroadcastGroup(x[t], bytes, g);
      acc = Code::kSigned ? DotSigned(acc, w[g], q) : Dot(acc, w[g], q);
    }
  }
}

// What a block, whose codes and scales are given, adds to the sums of some tokens.
template <class Code, Zero kZero, class Scale, int kTokens>
SY_INLINE void AddBlockOf(const uint8_t* codes, int64_t ahead, const BlockScales& s,
                          const ActivationBlock* x, Float (&total)[kTokens]) {
  Bytes w[8];
  Code::LoadGroups(codes, w);
  // Few tokens: sums of their own for the low bytes, so that no chain of dot products is long
  // enough to be waited for. Integer sums are exact, so the result is the same.
  constexpr bool kApart = kTokens <= 4;
  if constexpr (kApart) {
#pragma GCC unroll 8
    for (int line = 0; line < Code::kVectors * kVectorBytes; line += 64) {
      __builtin_prefetch(codes + ahead + line, 0, 2);
    }
  }
  Int sum[kTokens][Scale::kHalves] = {};
  Int low[kTokens][Scale::kHalves] = {};
  AddDots<Code, Scale::kHalves, kTokens>(w, x, offsetof(ActivationBlock, high), sum);
  if constexpr (kApart) {
    AddDots<Code, Scale::kHalves, kTokens>(w, x, offsetof(ActivationBlock, low), low);
  }
#pragma GCC unroll 8
  for (int t = 0; t < kTokens; ++t) {
    for (int half = 0; half < Scale::kHalves; ++half) {
      sum[t][half] = (sum[t][half] << 7) + StartSum<kZero>(x[t], half) + low[t][half];
    }
  }
  if constexpr (!kApart) {
    AddDots<Code, Scale::kHalves, kTokens>(w, x, offsetof(ActivationBlock, low), sum);
  }
#pragma GCC unroll 8
  for (int t = 0; t < kTokens; ++t) {
    Float exact[Scale::kHalves];
    for (int half = 0; half < Scale::kHalves; ++half) exact[half] = ToFloat(sum[t][half]);
    total[t] = AddBlock<Scale>(total[t], exact, s,
                               {x[t].scale, x[t].sum, {x[t].half_sum[0], x[t].half_sum[1]}});
  }
}

template <class Code, Zero kZero, class Scale, int kPanels, int kTokens>
SY_INLINE void SomePanels(const PanelLayout& layout, const uint8_t* weight,
                          const ActivationBlock* x, int tile, float* out) {
  Float total[kPanels][kTokens];
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) total[p][t] = Float{};
  }
  for (int64_t left = layout.k / kBlock; left > 0; left -= Scale::kGroupBlocks) {
    Scale scales[kPanels];
    for (int p = 0; p < kPanels; ++p) {
      scales[p] = Scale::Open(layout, weight + p * layout.panel_bytes);
    }
    const int blocks = left < Scale::kGroupBlocks ? static_cast<int>(left) : Scale::kGroupBlocks;
    // What follows the end of a panel is the next one, which is under way itself.
    const bool is_near_end = left / Scale::kGroupBlocks * layout.group_bytes <= kPrefetchBytes;
    const int64_t ahead = kPrefetchBytes + (is_near_end ? (kPanels - 1) * layout.panel_bytes : 0);
    const uint8_t* codes = weight + layout.codes;
    for (int b = 0; b < blocks; ++b) {
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) {
        BlockScales s;
        scales[p].Read(b, s);
        AddBlockOf<Code, kZero, Scale, kTokens>(codes + p * layout.panel_bytes, ahead, s, x,
                                                total[p]);
      }
      codes += Code::kVectors * kVectorBytes;
      x += tile;
    }
    weight += layout.group_bytes;
  }
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) Store(out + (p * tile + t) * kLanes, total[p][t]);
  }
}

// One or two tokens wait for memory, which gives more to four walks at once than to a single one.
template <class Code, Zero kZero, class Scale, int kTokens>
void Panels(const PanelLayout& layout, const uint8_t* weight, int panels, const void* x, int tile,
            int token, float* out) {
  constexpr int kTogether = kTokens <= 2 ? 4 : 1;
  const auto* blocks = static_cast<const ActivationBlock*>(x) + token;
  int p = 0;
  for (; p + kTogether <= panels; p += kTogether) {
    SomePanels<Code, kZero, Scale, kTogether, kTokens>(
        layout, weight + p * layout.panel_bytes, blocks, tile, out + (p * tile + token) * kLanes);
  }
  for (; p < panels; ++p) {
    SomePanels<Code, kZero, Scale, 1, kTokens>(layout, weight + p * layout.panel_bytes, blocks,
                                               tile, out + (p * tile + token) * kLanes);
  }
}

// Tiles have 1, 2, 4, 6, 8, 12 or 16 tokens. Where registers are few they are taken by fours.
template <class Code, Zero kZero, class Scale>
void OneTile(const PanelLayout* layout, const uint8_t* weight, int panels, const void* x, int tile,
             float* out) {
  int token = 0;
#if !defined(SY_TILES)
  if constexpr (kLanes == 16) {
    for (; token + 8 <= tile; token += 8) {
      Panels<Code, kZero, Scale, 8>(*layout, weight, panels, x, tile, token, out);
    }
    if (token + 6 == tile) {
      return Panels<Code, kZero, Scale, 6>(*layout, weight, panels, x, tile, token, out);
    }
  }
#endif
  for (; token + 4 <= tile; token += 4) {
    Panels<Code, kZero, Scale, 4>(*layout, weight, panels, x, tile, token, out);
  }
  if (token + 2 <= tile) {
    Panels<Code, kZero, Scale, 2>(*layout, weight, panels, x, tile, token, out);
    token += 2;
  }
  if (token < tile) Panels<Code, kZero, Scale, 1>(*layout, weight, panels, x, tile, token, out);
}

// Tile instructions take the wide tiles; for four tokens or fewer, the way of codes and sums
// through memory would cost more than it saves.
template <class Code, Zero kZero, class Scale>
void Linear(const PanelLayout* layout, const uint8_t* weight, int panels, const void* x, int tile,
            int tiles, int64_t tile_bytes, float* out) {
#if defined(SY_TILES)
  const TileOperands operands = {*layout, weight, panels, x, tiles, tile_bytes, out};
  if (tile == 16) return MultiplyTiles<Code, kZero, Scale, 16>(operands);
  if (tile == 12) return MultiplyTiles<Code, kZero, Scale, 12>(operands);
  if (tile == 8) return MultiplyTiles<Code, kZero, Scale, 8>(operands);
  if (tile == 6) return MultiplyTiles<Code, kZero, Scale, 6>(operands);
#endif
  EachTile<OneTile<Code, kZero, Scale>, kLanes>(layout, weight, panels, x, tile, tiles, tile_bytes,
                                                out);
}

}  // namespace

void SetInt8Linears(KernelTable* table) {
  table->signed_codes = kSignedCodes;
  table->linear[kPanelQ4_0] = Linear<Code4, Zero::k8, ScaleF16>;
  table->linear[kPanelQ4_1] = Linear<Code4, Zero::kNone, ScaleMinF16>;
  table->linear[kPanelQ5_0] = Linear<Code5, Zero::k16, ScaleF16>;
  table->linear[kPanelQ5_1] = Linear<Code5, Zero::kNone, ScaleMinF16>;
  table->linear[kPanelQ8_0] = Linear<Code8, Zero::k128, ScaleF16>;
  table->linear[kPanelQ2_K] = Linear<Code2, Zero::kNone, ScaleSuperMin16>;
  table->linear[kPanelQ3_K] = Linear<Code3, Zero::kHalf4, ScaleSuper16>;
  table->linear[kPanelQ4_K] = Linear<Code4, Zero::kNone, ScaleSuperMin>;
  table->linear[kPanelQ5_K] = Linear<Code5, Zero::kNone, ScaleSuperMin>;
  table->linear[kPanelQ6_K] = Linear<Code6, Zero::kHalf32, ScaleSuper16>;
  table->linear[kPanelIQ4_NL] = Linear<CodeTable<kIQ4Values>, Zero::k128, ScaleF16>;
  table->linear[kPanelIQ4_XS] = Linear<CodeTable<kIQ4Values>, Zero::k128, ScaleSuper32>;
  table->linear[kPanelMXFP4] = Linear<CodeTable<kMXFP4Values>, Zero::k128, ScaleE8M0>;
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
