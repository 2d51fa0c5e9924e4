// Dot products of quantised panels with 15-bit activations: one loop, with a code loader and a
// scale reader for each weight format.
//
// For each block of 32 elements along K: eight groups of four elements meet in four-way byte dot
// products (vpdpbusd where there is one), first with the activations' high bytes, then, the sum
// shifted, with their low ones; and the exact integer sum enters the float sum by one
// Fma with weight scale * activation scale. The float sum therefore runs over blocks in order, for
// one token as for many, which is what makes prefill and decode agree to the bit.
#include <stddef.h>

#include "simd.h"
#include "table_parts.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

#if defined(SY_AVX512) && defined(__AVX512VNNI__)
constexpr bool kSignedCodes = false;
#else
constexpr bool kSignedCodes = true;
#endif

// ---- Four-way dot products ----------------------------------------------------------------------

SY_INLINE Int BroadcastGroup(const int8_t* q) { return SetInt(*reinterpret_cast<const IntAt*>(q)); }

// acc[lane] += sum over i of weight[lane * 4 + i] * q[i]; weights below 128.
SY_INLINE Int Dot(Int acc, Bytes weight, Int q) {
#if defined(SY_AVX512) && defined(__AVX512VNNI__)
  return reinterpret_cast<Int>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(acc),
                                                   reinterpret_cast<__m512i>(weight),
                                                   reinterpret_cast<__m512i>(q)));
#elif defined(SY_AVX512)
  const __m512i pairs =
      _mm512_maddubs_epi16(reinterpret_cast<__m512i>(weight), reinterpret_cast<__m512i>(q));
  return acc + reinterpret_cast<Int>(_mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#elif defined(SY_AVX2)
  const __m256i pairs =
      _mm256_maddubs_epi16(reinterpret_cast<__m256i>(weight), reinterpret_cast<__m256i>(q));
  return acc + reinterpret_cast<Int>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#elif defined(SY_SSSE3)
  const __m128i pairs =
      _mm_maddubs_epi16(reinterpret_cast<__m128i>(weight), reinterpret_cast<__m128i>(q));
  return acc + reinterpret_cast<Int>(_mm_madd_epi16(pairs, _mm_set1_epi16(1)));
#else
  const auto* signed_q = reinterpret_cast<const int8_t*>(&q);
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 4; ++i) acc[lane] += weight[lane * 4 + i] * signed_q[lane * 4 + i];
  }
  return acc;
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
  const auto* signed_q = reinterpret_cast<const int8_t*>(&q);
  const auto* signed_w = reinterpret_cast<const int8_t*>(&weight);
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 4; ++i) acc[lane] += signed_w[lane * 4 + i] * signed_q[lane * 4 + i];
  }
  return acc;
#endif
}

// ---- Codes --------------------------------------------------------------------------------------
// Each loader turns the codes of one block into eight vectors of bytes, group g of elements
// 4g .. 4g + 3 of every lane. The packed order is made in ../panel_packing.cc.

template <int kShift>
SY_INLINE Bytes ShiftRight(Bytes v) {
  return reinterpret_cast<Bytes>(reinterpret_cast<Words>(v) >> kShift);
}
template <int kShift>
SY_INLINE Bytes ShiftLeft(Bytes v) {
  return reinterpret_cast<Bytes>(reinterpret_cast<Words>(v) << kShift);
}

// The bits of `plane` that belong to group kGroup, each kBits wide, moved to kTo.
template <int kGroup, int kBits, int kTo>
SY_INLINE Bytes PlaneBits(Bytes plane) {
  constexpr int kFrom = kGroup * kBits;
  constexpr uint8_t kMask = static_cast<uint8_t>(((1 << kBits) - 1) << kTo);
  if constexpr (kFrom >= kTo) return ShiftRight<kFrom - kTo>(plane) & kMask;
  if constexpr (kFrom < kTo) return ShiftLeft<kTo - kFrom>(plane) & kMask;
}

struct Code4 {
  static constexpr int kVectors = 4;
  static constexpr bool kSigned = false;
  SY_INLINE void LoadGroups(const uint8_t* codes, Bytes (&w)[8]) {
    for (int g = 0; g < 4; ++g) {
      const Bytes v = LoadBytes(codes + g * kVectorBytes);
      w[g] = v & 0x0f;
      w[g + 4] = ShiftRight<4>(v) & 0x0f;
    }
  }
};

template <int kBits, int kTo>
SY_INLINE void AddPlanes(const uint8_t* codes, Bytes (&w)[8]) {
  constexpr int kGroups = 8 / kBits;  // groups that one plane serves
  const Bytes low = LoadBytes(codes);
  const Bytes high = kBits == 1 ? low : LoadBytes(codes + kVectorBytes);
  w[0] |= PlaneBits<0, kBits, kTo>(low);
  w[1] |= PlaneBits<1, kBits, kTo>(low);
  w[2] |= PlaneBits<2, kBits, kTo>(low);
  w[3] |= PlaneBits<3, kBits, kTo>(low);
  w[4] |= PlaneBits<4 % kGroups, kBits, kTo>(high);
  w[5] |= PlaneBits<5 % kGroups, kBits, kTo>(high);
  w[6] |= PlaneBits<6 % kGroups, kBits, kTo>(high);
  w[7] |= PlaneBits<7 % kGroups, kBits, kTo>(high);
}

struct Code5 {
  static constexpr int kVectors = 5;
  static constexpr bool kSigned = false;
  SY_INLINE void LoadGroups(const uint8_t* codes, Bytes (&w)[8]) {
    Code4::LoadGroups(codes, w);
    AddPlanes<1, 4>(codes + 4 * kVectorBytes, w);
  }
};

struct Code6 {
  static constexpr int kVectors = 6;
  static constexpr bool kSigned = false;
  SY_INLINE void LoadGroups(const uint8_t* codes, Bytes (&w)[8]) {
    Code4::LoadGroups(codes, w);
    AddPlanes<2, 4>(codes + 4 * kVectorBytes, w);
  }
};

struct Code2 {
  static constexpr int kVectors = 2;
  static constexpr bool kSigned = false;
  SY_INLINE void LoadGroups(const uint8_t* codes, Bytes (&w)[8]) {
    for (int g = 0; g < 8; ++g) w[g] = Bytes{};
    AddPlanes<2, 0>(codes, w);
  }
};

struct Code3 {
  static constexpr int kVectors = 3;
  static constexpr bool kSigned = false;
  SY_INLINE void LoadGroups(const uint8_t* codes, Bytes (&w)[8]) {
    Code2::LoadGroups(codes, w);
    AddPlanes<1, 2>(codes + 2 * kVectorBytes, w);
  }
};

struct Code8 {
  static constexpr int kVectors = 8;
  static constexpr bool kSigned = kSignedCodes;
  SY_INLINE void LoadGroups(const uint8_t* codes, Bytes (&w)[8]) {
    for (int g = 0; g < 8; ++g) w[g] = LoadBytes(codes + g * kVectorBytes);
  }
};

// Nibbles that stand for the entries of a table of sixteen numbers.
alignas(16) constexpr int8_t kIQ4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};
alignas(16) constexpr int8_t kMXFP4Values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                 0, -1, -2, -3, -4, -6, -8, -12};

template <const int8_t (&kValues)[16]>
struct CodeTable {
  static constexpr int kVectors = 4;
  static constexpr bool kSigned = kSignedCodes;
  SY_INLINE Bytes LookUp(Bytes codes) {
#if defined(SY_AVX512)
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(kValues)));
    const Bytes values =
        reinterpret_cast<Bytes>(_mm512_shuffle_epi8(table, reinterpret_cast<__m512i>(codes)));
#elif defined(SY_AVX2)
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(kValues)));
    const Bytes values =
        reinterpret_cast<Bytes>(_mm256_shuffle_epi8(table, reinterpret_cast<__m256i>(codes)));
#elif defined(SY_SSSE3)
    const __m128i table = _mm_load_si128(reinterpret_cast<const __m128i*>(kValues));
    const Bytes values =
        reinterpret_cast<Bytes>(_mm_shuffle_epi8(table, reinterpret_cast<__m128i>(codes)));
#else
    Bytes values = {};
    for (int i = 0; i < kVectorBytes; ++i) values[i] = static_cast<uint8_t>(kValues[codes[i]]);
#endif
    return kSignedCodes ? values : values ^ 0x80;
  }
  SY_INLINE void LoadGroups(const uint8_t* codes, Bytes (&w)[8]) {
    Code4::LoadGroups(codes, w);
    for (int g = 0; g < 8; ++g) w[g] = LookUp(w[g]);
  }
};

// ---- Zero points --------------------------------------------------------------------------------

enum class Zero { kNone, k8, k16, k128, kHalf32, kHalf4 };

template <Zero kZero>
SY_INLINE Int StartSum(const ActivationBlock& x, int half) {
  if constexpr (kZero == Zero::k8) return SetInt(x.zero8);
  if constexpr (kZero == Zero::k16) return SetInt(x.zero8) + SetInt(x.zero8);
  if constexpr (kZero == Zero::k128) return kSignedCodes ? Int{} : SetInt(x.zero128);
  if constexpr (kZero == Zero::kHalf32) return SetInt(x.zero32[half]);
  if constexpr (kZero == Zero::kHalf4) return SetInt(x.zero32[half]) >> 3;
  return Int{};
}

// ---- Scales -------------------------------------------------------------------------------------
// A reader is made for each group of blocks; Read(b) loads the scale of the group's block b (of
// each half where kHalves is 2) and, where kMin, the number that is added to each weight.

struct BlockScales {
  Float scale[2];
  Float min[2];
};

SY_INLINE Float ReadHalf(const uint8_t* section, int index = 0) {
  return FromF16(LoadHalf(section + index * kLanes * 2));
}

struct ScaleF16 {
  static constexpr int kGroupBlocks = kGroupBlocksOfHalves;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  const uint8_t* scale;
  SY_INLINE ScaleF16 Open(const PanelLayout& l, const uint8_t* group) { return {group + l.scale}; }
  SY_METHOD void Read(int b, BlockScales& s) const { s.scale[0] = ReadHalf(scale, b); }
};

struct ScaleMinF16 {
  static constexpr int kGroupBlocks = kGroupBlocksOfHalves;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = true;
  const uint8_t* scale;
  const uint8_t* min;
  SY_INLINE ScaleMinF16 Open(const PanelLayout& l, const uint8_t* group) {
    return {group + l.scale, group + l.min};
  }
  SY_METHOD void Read(int b, BlockScales& s) const {
    s.scale[0] = ReadHalf(scale, b);
    s.min[0] = ReadHalf(min, b);
  }
};

// The exponent of a power of two, as a float has it.
struct ScaleE8M0 {
  static constexpr int kGroupBlocks = kGroupBlocksOfBytes;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  const uint8_t* scale;
  SY_INLINE ScaleE8M0 Open(const PanelLayout& l, const uint8_t* group) { return {group + l.scale}; }
  SY_METHOD void Read(int b, BlockScales& s) const {
    s.scale[0] = AsFloat(WidenByte(LoadByte(scale + b * kLanes)) << 23);
  }
};

// Q4_K and Q5_K: six-bit scale and minimum by 32, times halves by 256.
struct ScaleSuperMin {
  static constexpr int kGroupBlocks = kGroupBlocksOfBytes;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = true;
  Float super;
  Float super_min;
  const uint8_t* scale;
  const uint8_t* min;
  SY_INLINE ScaleSuperMin Open(const PanelLayout& l, const uint8_t* group) {
    return {ReadHalf(group + l.super_scale), -ReadHalf(group + l.super_min), group + l.scale,
            group + l.min};
  }
  SY_METHOD void Read(int b, BlockScales& s) const {
    s.scale[0] = super * ToFloat(WidenByte(LoadByte(scale + b * kLanes)));
    s.min[0] = super_min * ToFloat(WidenByte(LoadByte(min + b * kLanes)));
  }
};

// IQ4_XS: signed scale by 32, times a half by 256.
struct ScaleSuper32 {
  static constexpr int kGroupBlocks = kGroupBlocksOfBytes;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  Float super;
  const uint8_t* scale;
  SY_INLINE ScaleSuper32 Open(const PanelLayout& l, const uint8_t* group) {
    return {ReadHalf(group + l.super_scale), group + l.scale};
  }
  SY_METHOD void Read(int b, BlockScales& s) const {
    s.scale[0] = super * ToFloat(WidenSignedByte(LoadByte(scale + b * kLanes)));
  }
};

// Q3_K and Q6_K: signed scales by 16.
struct ScaleSuper16 {
  static constexpr int kGroupBlocks = kGroupBlocksOfBytes;
  static constexpr int kHalves = 2;
  static constexpr bool kMin = false;
  Float super;
  const uint8_t* scale;
  SY_INLINE ScaleSuper16 Open(const PanelLayout& l, const uint8_t* group) {
    return {ReadHalf(group + l.super_scale), group + l.scale};
  }
  SY_METHOD void Read(int b, BlockScales& s) const {
    const uint8_t* scales = scale + b * 2 * kLanes;
    s.scale[0] = super * ToFloat(WidenSignedByte(LoadByte(scales)));
    s.scale[1] = super * ToFloat(WidenSignedByte(LoadByte(scales + kLanes)));
  }
};

// Q2_K: four-bit scale (low) and minimum (high) by 16.
struct ScaleSuperMin16 {
  static constexpr int kGroupBlocks = kGroupBlocksOfBytes;
  static constexpr int kHalves = 2;
  static constexpr bool kMin = true;
  Float super;
  Float super_min;
  const uint8_t* scale;
  SY_INLINE ScaleSuperMin16 Open(const PanelLayout& l, const uint8_t* group) {
    return {ReadHalf(group + l.super_scale), -ReadHalf(group + l.super_min), group + l.scale};
  }
  SY_METHOD void Read(int b, BlockScales& s) const {
    for (int half = 0; half < 2; ++half) {
      const Int both = WidenByte(LoadByte(scale + (b * 2 + half) * kLanes));
      s.scale[half] = super * ToFloat(both & 0x0f);
      s.min[half] = super_min * ToFloat(both >> 4);
    }
  }
};

// ---- The loop -----------------------------------------------------------------------------------

// Adds the dot products of a block's codes with the activation bytes that lie `bytes` into each
// token's block.
template <class Code, int kHalves, int kTokens>
SY_INLINE void AddDots(const Bytes (&w)[8], const ActivationBlock* x, size_t bytes,
                       Int (&sum)[kTokens][kHalves]) {
#pragma GCC unroll 8
  for (int g = 0; g < 8; ++g) {
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      Int& acc = sum[t][kHalves == 2 ? g / 4 : 0];
      const Int q = BroadcastGroup(reinterpret_cast<const int8_t*>(x + t) + bytes + 4 * g);
      acc = Code::kSigned ? DotSigned(acc, w[g], q) : Dot(acc, w[g], q);
    }
  }
}

template <class Code, Zero kZero, class Scale, int kTokens>
SY_INLINE void Panel(const PanelLayout& layout, const uint8_t* panel, const ActivationBlock* x,
                     int tile, float* out) {
  Float total[kTokens];
  for (int t = 0; t < kTokens; ++t) total[t] = Float{};
  const uint8_t* group = panel;
  for (int64_t left = layout.k / kBlock; left > 0; left -= Scale::kGroupBlocks) {
    const Scale scales = Scale::Open(layout, group);
    const uint8_t* codes = group + layout.codes;
    const int blocks = left < Scale::kGroupBlocks ? static_cast<int>(left) : Scale::kGroupBlocks;
    for (int b = 0; b < blocks; ++b) {
      Bytes w[8];
      Code::LoadGroups(codes, w);
      BlockScales s;
      scales.Read(b, s);
      // Few tokens: sums of their own for the low bytes, so that no chain of dot products is long
      // enough to be waited for. Integer sums are exact, so the result is the same.
      constexpr bool kApart = kTokens <= 4;
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
        if constexpr (Scale::kHalves == 2) {
          Float both = ToFloat(sum[t][0]) * s.scale[0];
          both = Fma(ToFloat(sum[t][1]), s.scale[1], both);
          total[t] = Fma(both, Set(x[t].scale), total[t]);
          if constexpr (Scale::kMin) {
            total[t] = Fma(s.min[0], Set(x[t].half_sum[0]), total[t]);
            total[t] = Fma(s.min[1], Set(x[t].half_sum[1]), total[t]);
          }
        } else {
          total[t] = Fma(ToFloat(sum[t][0]), s.scale[0] * x[t].scale, total[t]);
          if constexpr (Scale::kMin) total[t] = Fma(s.min[0], Set(x[t].sum), total[t]);
        }
      }
      codes += Code::kVectors * kVectorBytes;
      x += tile;
    }
    group += layout.group_bytes;
  }
  for (int t = 0; t < kTokens; ++t) Store(out + t * kLanes, total[t]);
}

template <class Code, Zero kZero, class Scale, int kTokens>
void Panels(const PanelLayout& layout, const uint8_t* weight, int panels, const void* x, int tile,
            int token, float* out) {
  const auto* blocks = static_cast<const ActivationBlock*>(x) + token;
  for (int p = 0; p < panels; ++p) {
    Panel<Code, kZero, Scale, kTokens>(layout, weight + p * layout.panel_bytes, blocks, tile,
                                       out + (p * tile + token) * kLanes);
  }
}

// Tiles have 1, 2, 4, 6 or 8 tokens. Where registers are few they are taken by fours.
template <class Code, Zero kZero, class Scale>
void Linear(const PanelLayout* layout, const uint8_t* weight, int panels, const void* x, int tile,
            float* out) {
  int token = 0;
  if constexpr (kLanes == 16) {
    if (tile == 8) return Panels<Code, kZero, Scale, 8>(*layout, weight, panels, x, tile, 0, out);
    if (tile == 6) return Panels<Code, kZero, Scale, 6>(*layout, weight, panels, x, tile, 0, out);
  }
  for (; token + 4 <= tile; token += 4) {
    Panels<Code, kZero, Scale, 4>(*layout, weight, panels, x, tile, token, out);
  }
  if (token + 2 <= tile) {
    Panels<Code, kZero, Scale, 2>(*layout, weight, panels, x, tile, token, out);
    token += 2;
  }
  if (token < tile) Panels<Code, kZero, Scale, 1>(*layout, weight, panels, x, tile, token, out);
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
