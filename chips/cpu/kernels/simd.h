// Vectors of 32-bit lanes for whichever instruction set this translation unit is compiled for, by
// GNU vector types where the compiler does well on them and intrinsics where it does not.
// Everything is static and lies in SWITCHYARD_CPU_ISA's namespace, so that nothing compiled for one
// instruction set can be linked into another. Compiled with -ffp-contract=off: a sum is fused where
// it says Fma and nowhere else, which is what makes results equal whatever loop they are computed
// in.
#pragma once

#include <stddef.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernel_table.h"

#define SY_INLINE static inline __attribute__((always_inline))
#define SY_METHOD inline __attribute__((always_inline))

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define SY_AVX512 1
#if defined(__AVX512VNNI__)
#define SY_VNNI 1
#endif
constexpr int kLanes = 16;
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define SY_AVX2 1
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#if defined(__SSSE3__)
#define SY_SSSE3 1
#endif
#endif
constexpr int kVectorBytes = kLanes * 4;

typedef float Float __attribute__((vector_size(kVectorBytes)));
typedef int32_t Int __attribute__((vector_size(kVectorBytes)));
typedef uint32_t Uint __attribute__((vector_size(kVectorBytes)));
typedef uint16_t Half __attribute__((vector_size(kVectorBytes / 2)));
typedef uint8_t Byte __attribute__((vector_size(kVectorBytes / 4)));
typedef int8_t SignedByte __attribute__((vector_size(kVectorBytes / 4)));
typedef uint8_t Bytes __attribute__((vector_size(kVectorBytes)));
typedef uint16_t Words __attribute__((vector_size(kVectorBytes)));
typedef Float FloatAt __attribute__((aligned(4), may_alias));
typedef Half HalfAt __attribute__((aligned(2), may_alias));
typedef Byte ByteAt __attribute__((aligned(1), may_alias));
typedef Bytes BytesAt __attribute__((aligned(1), may_alias));
typedef int32_t IntAt __attribute__((aligned(1), may_alias));

SY_INLINE Float Load(const float* p) { return *reinterpret_cast<const FloatAt*>(p); }
SY_INLINE void Store(float* p, Float v) { *reinterpret_cast<FloatAt*>(p) = v; }
SY_INLINE Bytes LoadBytes(const uint8_t* p) { return *reinterpret_cast<const BytesAt*>(p); }
SY_INLINE void StoreBytes(uint8_t* p, Bytes v) { *reinterpret_cast<BytesAt*>(p) = v; }
SY_INLINE Half LoadHalf(const void* p) { return *reinterpret_cast<const HalfAt*>(p); }
SY_INLINE Byte LoadByte(const uint8_t* p) { return *reinterpret_cast<const ByteAt*>(p); }
SY_INLINE void StoreHalf(void* p, Half v) { *reinterpret_cast<HalfAt*>(p) = v; }

SY_INLINE Float Set(float x) { return Float{} + x; }
SY_INLINE Int SetInt(int32_t x) { return Int{} + x; }
SY_INLINE Int AsInt(Float v) { return reinterpret_cast<Int>(v); }
SY_INLINE Float AsFloat(Int v) { return reinterpret_cast<Float>(v); }

// n < kLanes floats; the rest are `fill`.
SY_INLINE Float LoadPart(const float* p, int64_t n, float fill) {
  float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = i < n ? p[i] : fill;
  return Load(lanes);
}
SY_INLINE void StorePart(float* p, Float v, int64_t n) {
  float lanes[kLanes];
  Store(lanes, v);
  for (int64_t i = 0; i < n; ++i) p[i] = lanes[i];
}

SY_INLINE Float Fma(Float a, Float b, Float c) {
#if defined(SY_AVX512)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(SY_AVX2)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

SY_INLINE Float Max(Float a, Float b) { return a > b ? a : b; }
SY_INLINE Float Min(Float a, Float b) { return a < b ? a : b; }
SY_INLINE Float Abs(Float v) { return AsFloat(AsInt(v) & 0x7fffffff); }
SY_INLINE Int MaxInt(Int a, Int b) { return a > b ? a : b; }
SY_INLINE Float ToFloat(Int v) {
#if defined(SY_AVX512)
  return _mm512_cvtepi32_ps(reinterpret_cast<__m512i>(v));
#else
  return __builtin_convertvector(v, Float);
#endif
}

// To the nearest integer, ties to even; |v| < 2^31.
SY_INLINE Int Round(Float v) {
#if defined(SY_AVX512)
  return reinterpret_cast<Int>(_mm512_cvtps_epi32(v));
#elif defined(SY_AVX2)
  return reinterpret_cast<Int>(_mm256_cvtps_epi32(v));
#elif defined(__SSE2__)
  return reinterpret_cast<Int>(_mm_cvtps_epi32(v));
#else
  const Float magic = Set(0x1.8p23F);  // |v| < 2^22 suffices for our uses
  return AsInt(v + magic) - AsInt(magic);
#endif
}

SY_INLINE float Sum(Float v) {
  float lanes[kLanes];
  Store(lanes, v);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}
SY_INLINE float Largest(Float v) {
  float lanes[kLanes];
  Store(lanes, v);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) {
      lanes[i] = lanes[i] > lanes[i + width] ? lanes[i] : lanes[i + width];
    }
  }
  return lanes[0];
}

SY_INLINE Int WidenHalf(Half v) {
#if defined(SY_AVX512)
  return reinterpret_cast<Int>(_mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(v)));
#elif defined(SY_AVX2)
  return reinterpret_cast<Int>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(v)));
#else
  return __builtin_convertvector(v, Int);
#endif
}

SY_INLINE Float FromF16(Half v) {
#if defined(SY_AVX512)
  return _mm512_cvtph_ps(reinterpret_cast<__m256i>(v));
#elif defined(SY_AVX2)
  return _mm256_cvtph_ps(reinterpret_cast<__m128i>(v));
#else
  // The magnitude as a float whose exponent is too small by 112, subnormals included, then scaled.
  const Int bits = WidenHalf(v);
  const Int magnitude = bits & 0x7fff;
  const Float scaled = AsFloat(magnitude << 13) * 0x1p112F;
  const Int special = (magnitude << 13) | 0x7f800000;
  return AsFloat((magnitude >= 0x7c00 ? special : AsInt(scaled)) | ((bits & 0x8000) << 16));
#endif
}

SY_INLINE Float FromBF16(Half v) { return AsFloat(WidenHalf(v) << 16); }

SY_INLINE Half ToF16(Float v) {
#if defined(SY_AVX512)
  return reinterpret_cast<Half>(_mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(SY_AVX2)
  return reinterpret_cast<Half>(_mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#else
  const Int bits = AsInt(v);
  const Int magnitude = bits & 0x7fffffff;
  const Int small = AsInt(AsFloat(magnitude) + 0.5F) - 0x3f000000;  // rounds at bit 2^-24
  const Int normal = (magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000) >> 13;
  Int half = magnitude < 0x38800000 ? small : normal;
  half = magnitude >= 0x477ff000 ? SetInt(0x7c00) : half;
  half = magnitude > 0x7f800000 ? SetInt(0x7e00) : half;
  half |= (bits >> 16) & 0x8000;
  return __builtin_convertvector(half, Half);
#endif
}

SY_INLINE Half ToBF16(Float v) {
  const Int bits = AsInt(v);
  const Int rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Int nan = (bits >> 16) | 0x40;
  const Int half = (bits & 0x7fffffff) > 0x7f800000 ? nan : rounded;
#if defined(SY_AVX512)
  return reinterpret_cast<Half>(_mm512_cvtepi32_epi16(reinterpret_cast<__m512i>(half)));
#else
  return __builtin_convertvector(half & 0xffff, Half);
#endif
}

// Eight-bit numbers to 32-bit lanes.
SY_INLINE Int WidenByte(Byte v) {
#if defined(SY_AVX512)
  return reinterpret_cast<Int>(_mm512_cvtepu8_epi32(reinterpret_cast<__m128i>(v)));
#elif defined(SY_AVX2)
  return reinterpret_cast<Int>(
      _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(reinterpret_cast<long long>(v))));
#else
  return __builtin_convertvector(v, Int);
#endif
}
SY_INLINE Int WidenSignedByte(Byte v) {
#if defined(SY_AVX512)
  return reinterpret_cast<Int>(_mm512_cvtepi8_epi32(reinterpret_cast<__m128i>(v)));
#elif defined(SY_AVX2)
  return reinterpret_cast<Int>(
      _mm256_cvtepi8_epi32(_mm_cvtsi64_si128(reinterpret_cast<long long>(v))));
#else
  return __builtin_convertvector(reinterpret_cast<SignedByte>(v), Int);
#endif
}

// Elements of either 16-bit type or floats, kLanes of them.
template <int kType>
SY_INLINE Float LoadAs(const void* p, int64_t index) {
  if constexpr (kType == kElementF32) {
    return Load(static_cast<const float*>(p) + index);
  } else if constexpr (kType == kElementF16) {
    return FromF16(LoadHalf(static_cast<const uint16_t*>(p) + index));
  } else {
    return FromBF16(LoadHalf(static_cast<const uint16_t*>(p) + index));
  }
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
