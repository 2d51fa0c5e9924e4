// What the loops over quantised panels share: for each weight format how a block's codes, zero
// point and scales are read, and how a block's exact integer sums enter a token's float sum.
// Included by the kernels' sources alone; everything is inlined into them.
#pragma once

#include "simd.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {

#if defined(SY_VNNI)
constexpr bool kSignedCodes = false;
#else
constexpr bool kSignedCodes = true;
#endif

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

// ---- Sums ---------------------------------------------------------------------------------------

// What goes with a token's activations of a block.
struct TokenScales {
  float scale;
  float sum;
  float half_sum[2];
};

// What a block adds to the sum of the token whose activations x are; `sum` is exact, of each half
// where there are two. The one place where the order of the float operations is decided.
template <class Scale>
SY_INLINE Float AddBlock(Float total, const Float (&sum)[Scale::kHalves], const BlockScales& s,
                         const TokenScales& x) {
  if constexpr (Scale::kHalves == 2) {
    Float both = sum[0] * s.scale[0];
    both = Fma(sum[1], s.scale[1], both);
    total = Fma(both, Set(x.scale), total);
    if constexpr (Scale::kMin) {
      total = Fma(s.min[0], Set(x.half_sum[0]), total);
      total = Fma(s.min[1], Set(x.half_sum[1]), total);
    }
  } else {
    total = Fma(sum[0], s.scale[0] * x.scale, total);
    if constexpr (Scale::kMin) total = Fma(s.min[0], Set(x.sum), total);
  }
  return total;
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
