// What this instruction set can do at best, for measure_ceiling: a streaming read and dense
// multiply-adds on registers alone.
#include "simd.h"
#include "table_parts.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

constexpr int kChains = kLanes == 16 ? 16 : 10;  // independent sums, to hide latency
constexpr uint64_t kBytesOfStep = 4096;

// Four streams, as several panels are read at once.
uint64_t Stream(const uint8_t* from, uint64_t bytes) {
  const uint64_t quarter = bytes / 4 / kBytesOfStep * kBytesOfStep;
  Bytes sums[4] = {};
  for (uint64_t at = 0; at < quarter; at += 4 * kVectorBytes) {
    for (int s = 0; s < 4; ++s) {
      const uint8_t* p = from + static_cast<uint64_t>(s) * quarter + at;
      for (int i = 0; i < 4; ++i) sums[s] ^= LoadBytes(p + i * kVectorBytes);
    }
  }
  const Bytes all = (sums[0] ^ sums[1]) ^ (sums[2] ^ sums[3]);
  uint64_t sum = 0;
  for (int i = 0; i < kVectorBytes; ++i) sum += all[i];
  return sum;
}

// Keeps a value in its register and unknown to the optimiser.
template <class Vector>
SY_INLINE void Opaque(Vector& v) {
#if defined(SY_AVX512)
  asm volatile("" : "+v"(v));
#elif defined(__x86_64__)
  asm volatile("" : "+x"(v));
#else
  asm volatile("" : "+m"(v));
#endif
}

uint64_t PeakF32(uint64_t rounds, float* sink) {
  Float acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = Set(static_cast<float>(i));
  Float a = Set(*sink);
  Float b = Set(*sink + 1.0F);
  Opaque(a);
  Opaque(b);
  for (uint64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      acc[i] = Fma(a, b, acc[i]);
      Opaque(acc[i]);
    }
  }
  Float total = {};
  for (int i = 0; i < kChains; ++i) total += acc[i];
  *sink = Sum(total);
  return rounds * kChains * kLanes;
}

uint64_t PeakBF16(uint64_t rounds, float* sink) {
#if defined(SY_AVX512) && defined(__AVX512BF16__)
  Float acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = Set(static_cast<float>(i));
  Float a = Set(*sink);
  Opaque(a);
  for (uint64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      acc[i] =
          _mm512_dpbf16_ps(acc[i], reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(a));
      Opaque(acc[i]);
    }
  }
  Float total = {};
  for (int i = 0; i < kChains; ++i) total += acc[i];
  *sink = Sum(total);
  return rounds * kChains * kLanes * 2;
#else
  static_cast<void>(rounds);
  static_cast<void>(sink);
  return 0;
#endif
}

uint64_t PeakInt8(uint64_t rounds, float* sink) {
#if defined(SY_AVX512) || defined(SY_AVX2) || defined(SY_SSSE3)
  Int acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = SetInt(i);
  Int a = SetInt(static_cast<int32_t>(*sink) + 0x01020304);
  Opaque(a);
  for (uint64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
#if defined(SY_AVX512) && defined(__AVX512VNNI__)
      acc[i] = reinterpret_cast<Int>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(acc[i]),
                                                         reinterpret_cast<__m512i>(a),
                                                         reinterpret_cast<__m512i>(a)));
#elif defined(SY_AVX512)
      const __m512i x = reinterpret_cast<__m512i>(a);
      acc[i] += reinterpret_cast<Int>(
          _mm512_madd_epi16(_mm512_maddubs_epi16(x, x), _mm512_set1_epi16(1)));
#elif defined(SY_AVX2)
      const __m256i x = reinterpret_cast<__m256i>(a);
      acc[i] += reinterpret_cast<Int>(
          _mm256_madd_epi16(_mm256_maddubs_epi16(x, x), _mm256_set1_epi16(1)));
#else
      const __m128i x = reinterpret_cast<__m128i>(a);
      acc[i] += reinterpret_cast<Int>(_mm_madd_epi16(_mm_maddubs_epi16(x, x), _mm_set1_epi16(1)));
#endif
      Opaque(acc[i]);
      Opaque(a);
    }
  }
  Int total = {};
  for (int i = 0; i < kChains; ++i) total += acc[i];
  *sink = Sum(ToFloat(total));
  return rounds * kChains * kLanes * 4;
#else
  static_cast<void>(rounds);
  static_cast<void>(sink);
  return 0;
#endif
}

}  // namespace

void SetPeakKernels(KernelTable* table) {
  table->stream = Stream;
  table->peak_f32 = PeakF32;
  table->peak_bf16 = PeakBF16;
  table->peak_int8 = PeakInt8;
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
