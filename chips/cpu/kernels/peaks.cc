// What this instruction set can do at best, for measure_ceiling: a streaming read and dense
// multiply-adds on registers alone.
#include "simd.h"
#include "table_parts.h"
#include "tile_registers.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

constexpr int kChains = 12;  // independent sums, to hide latency
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

// Twelve chains in variables of their own: an array of them would be kept in memory.
template <class Vector, class Step>
SY_INLINE Vector RunChains(uint64_t rounds, Step step) {
  Vector a = {}, b = {}, c = {}, d = {}, e = {}, f = {}, g = {}, h = {}, i = {}, j = {}, k = {},
         l = {};
  for (uint64_t r = 0; r < rounds; ++r) {
    step(a), step(b), step(c), step(d), step(e), step(f);
    step(g), step(h), step(i), step(j), step(k), step(l);
  }
  return ((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + l));
}

uint64_t PeakF32(uint64_t rounds, float* sink) {
  Float x = Set(*sink);
  Opaque(x);
  const Float total = RunChains<Float>(rounds, [&](Float& acc) __attribute__((always_inline)) {
    acc = Fma(x, x, acc);
    Opaque(acc);
  });
  *sink = Sum(total);
  return rounds * kChains * kLanes;
}

#if defined(SY_TILES)
// Whole tiles, with four sums in flight. `multiply_adds` are those of a tile instruction.
template <class Step>
uint64_t PeakOfTiles(uint64_t rounds, uint64_t multiply_adds, float* sink, Step step) {
  constexpr int kRows = 16;
  TileConfig config = {};
  config.palette = 1;
  for (int tile = 0; tile < 8; ++tile) {
    config.rows[tile] = kRows;
    config.row_bytes[tile] = kVectorBytes;
  }
  alignas(64) int32_t sum[kRows][kLanes];
  const uint64_t steps = rounds * kChains * kLanes / multiply_adds + 1;
  {
    TileRegisters tiles(config);
    for (uint64_t i = 0; i < steps; ++i) step(tiles);
    tiles.Store<0>(sum, kVectorBytes);
  }
  *sink = static_cast<float>(sum[0][0]);
  return steps * 4 * multiply_adds;
}

uint64_t PeakInt8(uint64_t rounds, float* sink) {
  return PeakOfTiles(rounds, 16 * 16 * 64, sink, [](TileRegisters& tiles) {
    tiles.MultiplyAdd<0, 4, 6>();
    tiles.MultiplyAdd<1, 4, 7>();
    tiles.MultiplyAdd<2, 5, 6>();
    tiles.MultiplyAdd<3, 5, 7>();
  });
}

uint64_t PeakBF16(uint64_t rounds, float* sink) {
  return PeakOfTiles(rounds, 16 * 16 * 32, sink, [](TileRegisters& tiles) {
    tiles.MultiplyAddBF16<0, 4, 6>();
    tiles.MultiplyAddBF16<1, 4, 7>();
    tiles.MultiplyAddBF16<2, 5, 6>();
    tiles.MultiplyAddBF16<3, 5, 7>();
  });
}
#else
uint64_t PeakBF16([[maybe_unused]] uint64_t rounds, [[maybe_unused]] float* sink) {
#if defined(SY_AVX512) && defined(__AVX512BF16__)
  Float x = Set(*sink);
  Opaque(x);
  const Float total = RunChains<Float>(rounds, [&](Float& acc) __attribute__((always_inline)) {
    acc = _mm512_dpbf16_ps(acc, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(x));
    Opaque(acc);
  });
  *sink = Sum(total);
  return rounds * kChains * kLanes * 2;
#else
  return 0;
#endif
}

uint64_t PeakInt8([[maybe_unused]] uint64_t rounds, [[maybe_unused]] float* sink) {
#if defined(SY_AVX512) || defined(SY_AVX2) || defined(SY_SSSE3)
  Int bytes = SetInt(static_cast<int32_t>(*sink) + 0x01020304);
  Opaque(bytes);
  const Int total = RunChains<Int>(rounds, [&](Int& acc) __attribute__((always_inline)) {
#if defined(SY_VNNI)
    const __m512i x = reinterpret_cast<__m512i>(bytes);
    acc = reinterpret_cast<Int>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(acc), x, x));
#elif defined(SY_AVX512)
    const __m512i x = reinterpret_cast<__m512i>(bytes);
    acc += reinterpret_cast<Int>(
        _mm512_madd_epi16(_mm512_maddubs_epi16(x, x), _mm512_set1_epi16(1)));
#elif defined(SY_AVX2)
    const __m256i x = reinterpret_cast<__m256i>(bytes);
    acc += reinterpret_cast<Int>(
        _mm256_madd_epi16(_mm256_maddubs_epi16(x, x), _mm256_set1_epi16(1)));
#else
    const __m128i x = reinterpret_cast<__m128i>(bytes);
    acc += reinterpret_cast<Int>(_mm_madd_epi16(_mm_maddubs_epi16(x, x), _mm_set1_epi16(1)));
#endif
    Opaque(acc);
    Opaque(bytes);
  });
  *sink = Sum(ToFloat(total));
  return rounds * kChains * kLanes * 4;
#else
  return 0;
#endif
}
#endif

}  // namespace

void SetPeakKernels(KernelTable* table) {
  table->stream = Stream;
  table->peak_f32 = PeakF32;
  table->peak_bf16 = PeakBF16;
  table->peak_int8 = PeakInt8;
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
