// What is done to rows of activations between the linears: packing (and quantising) for them,
// normalisation, RoPE, activations, sums, and the store of a linear's result.
#include "simd.h"
#include "table_parts.h"
#include "tile_registers.h"
#include "vector_math.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

SY_INLINE int64_t Smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// ---- Packing ------------------------------------------------------------------------------------

SY_INLINE int32_t SumInt(Int v) {
#if defined(SY_AVX512)
  return _mm512_reduce_add_epi32(reinterpret_cast<__m512i>(v));
#else
  int32_t sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
#endif
}

SY_INLINE int32_t LargestInt(Int v) {
#if defined(SY_AVX512)
  return _mm512_reduce_max_epi32(reinterpret_cast<__m512i>(v));
#else
  int32_t largest = v[0];
  for (int i = 1; i < kLanes; ++i) largest = v[i] > largest ? v[i] : largest;
  return largest;
#endif
}

SY_INLINE void StoreSignedBytes(int8_t* p, Int v) {
#if defined(SY_AVX512)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(v)));
#else
  typedef SignedByte SignedByteAt __attribute__((aligned(1), may_alias));
  *reinterpret_cast<SignedByteAt*>(p) = __builtin_convertvector(v, SignedByte);
#endif
}

// Symmetric: scale = largest magnitude / (127 * 128). A block with an infinity or NaN gets a NaN
// scale and so makes the row's results NaN; one of magnitudes below 1e-30 becomes zeros.
SY_INLINE void QuantiseBlock(const float* x, ActivationBlock* block) {
  constexpr float kLargest = 127 * 128;
  constexpr int kVectors = kBlock / kLanes;
  Float v[kVectors];
  Int largest = {};
  for (int i = 0; i < kVectors; ++i) {
    v[i] = Load(x + i * kLanes);
    largest = MaxInt(largest, AsInt(v[i]) & 0x7fffffff);
  }
  const int32_t bits = LargestInt(largest);
  float magnitude;
  __builtin_memcpy(&magnitude, &bits, 4);
  const bool finite = bits < 0x7f800000;
  const bool usable = finite && magnitude >= 1e-30F;
  const float inverse = usable ? kLargest / magnitude : 0.0F;
  const float scale = usable ? magnitude * (1.0F / kLargest) : (finite ? 0.0F : __builtin_nanf(""));
  int32_t sums[2] = {};
  for (int half = 0; half < 2; ++half) {
    Int sum = {};
    for (int i = half * kVectors / 2; i < (half + 1) * kVectors / 2; ++i) {
      const Int q = usable ? Round(v[i] * inverse) : Int{};
      const Int high = (q + 64) >> 7;
      StoreSignedBytes(block->high + i * kLanes, high);
      StoreSignedBytes(block->low + i * kLanes, q - (high << 7));
      sum += q;
    }
    sums[half] = SumInt(sum);
  }
  block->scale = scale;
  block->sum = scale * static_cast<float>(sums[0] + sums[1]);
  block->half_sum[0] = scale * static_cast<float>(sums[0]);
  block->half_sum[1] = scale * static_cast<float>(sums[1]);
  block->zero8 = -8 * (sums[0] + sums[1]);
  block->zero128 = -128 * (sums[0] + sums[1]);
  block->zero32[0] = -32 * sums[0];
  block->zero32[1] = -32 * sums[1];
}

#if defined(SY_TILES)
// Bytes times 2^kShift as BF16, in the order of tile blocks.
template <int kShift>
SY_INLINE void StoreTilePlane(const int8_t* bytes, uint8_t* to) {
  const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  for (int i = 0; i < kBlock; i += kLanes) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
    const Int numbers = WidenSignedByte(reinterpret_cast<Byte>(_mm_shuffle_epi8(v, order)));
    const Uint bits = reinterpret_cast<Uint>(ToFloat(numbers << kShift));
    StoreHalf(to + i * 2, __builtin_convertvector(bits >> 16, Half));
  }
}

SY_INLINE void StoreTileBlock(const ActivationBlock& block, uint8_t* to, int tile, int t) {
  StoreTilePlane<7>(block.high, to + t * kTilePlaneBytes);
  StoreTilePlane<0>(block.low, to + (tile + t) * kTilePlaneBytes);
  auto* numbers = reinterpret_cast<float*>(to + 2 * tile * kTilePlaneBytes) + t;
  numbers[0] = block.scale;
  numbers[tile] = block.sum;
  numbers[2 * tile] = block.half_sum[0];
  numbers[3 * tile] = block.half_sum[1];
}
#endif

void PackInt15(const float* x, int64_t k, int64_t padded_k, void* tile_base, int tile, int t) {
  for (int64_t at = 0; at < padded_k; at += kBlock) {
    float rest[kBlock] = {};
    const float* from = x + at;
    if (at + kBlock > k) {
      for (int64_t i = at; i < k; ++i) rest[i - at] = x[i];
      from = rest;
    }
#if defined(SY_TILES)
    if (tile >= kFewestTileTokens) {
      ActivationBlock block;
      QuantiseBlock(from, &block);
      StoreTileBlock(block,
                     static_cast<uint8_t*>(tile_base) + at / kBlock * tile * kTileBlockBytes, tile,
                     t);
      continue;
    }
#endif
    QuantiseBlock(from, static_cast<ActivationBlock*>(tile_base) + at / kBlock * tile + t);
  }
}

void PackF32(const float* x, int64_t k, int64_t padded_k, void* tile_base, int tile, int t) {
  float* y = static_cast<float*>(tile_base) + t;
  for (int64_t i = 0; i < k; ++i) y[i * tile] = x[i];
  for (int64_t i = k; i < padded_k; ++i) y[i * tile] = 0.0F;
}

#if defined(SY_TILES)
void PackBF16(const float* x, int64_t k, int64_t padded_k, void* tile_base, int, int t) {
  auto* y = static_cast<uint16_t*>(tile_base) + t * padded_k;
  for (int64_t at = 0; at < padded_k; at += kLanes) {
    const bool is_whole = at + kLanes <= k;
    StoreHalf(y + at, ToBF16(is_whole ? Load(x + at) : LoadPart(x + at, k - at, 0.0F)));
  }
}
#else
void PackBF16(const float* x, int64_t k, int64_t padded_k, void* tile_base, int tile, int t) {
  typedef uint32_t PairAt __attribute__((may_alias));
  auto* y = static_cast<PairAt*>(tile_base) + t;
  int64_t at = 0;
  for (; at < padded_k; at += kLanes) {
    Half rounded;
    if (at + kLanes <= k) {
      rounded = ToBF16(Load(x + at));
    } else {
      rounded = ToBF16(LoadPart(x + at, k - at, 0.0F));
    }
    uint32_t pairs[kLanes / 2];
    StoreHalf(pairs, rounded);
    const int64_t count = Smaller(kLanes / 2, (padded_k - at) / 2);
    for (int64_t i = 0; i < count; ++i) y[(at / 2 + i) * tile] = pairs[i];
  }
}
#endif

// ---- Types --------------------------------------------------------------------------------------

void Widen(const void* x, int type, float* y, int64_t n) {
  const auto* from = static_cast<const uint16_t*>(x);
  int64_t i = 0;
  if (type == kElementF32) {
    __builtin_memcpy(y, x, static_cast<size_t>(n) * 4);
    return;
  }
  for (; i + kLanes <= n; i += kLanes) {
    Store(y + i, type == kElementF16 ? FromF16(LoadHalf(from + i)) : FromBF16(LoadHalf(from + i)));
  }
  if (i < n) {
    uint16_t rest[kLanes] = {};
    __builtin_memcpy(rest, from + i, static_cast<size_t>(n - i) * 2);
    StorePart(y + i, type == kElementF16 ? FromF16(LoadHalf(rest)) : FromBF16(LoadHalf(rest)),
              n - i);
  }
}

void Narrow(const float* x, void* y, int type, int64_t n) {
  auto* to = static_cast<uint16_t*>(y);
  int64_t i = 0;
  if (type == kElementF32) {
    __builtin_memcpy(y, x, static_cast<size_t>(n) * 4);
    return;
  }
  for (; i + kLanes <= n; i += kLanes) {
    StoreHalf(to + i, type == kElementF16 ? ToF16(Load(x + i)) : ToBF16(Load(x + i)));
  }
  if (i < n) {
    uint16_t rest[kLanes];
    const Float v = LoadPart(x + i, n - i, 0.0F);
    StoreHalf(rest, type == kElementF16 ? ToF16(v) : ToBF16(v));
    __builtin_memcpy(to + i, rest, static_cast<size_t>(n - i) * 2);
  }
}

// ---- Elementwise --------------------------------------------------------------------------------

template <class Function>
SY_INLINE void Map(const float* a, const float* b, float* y, int64_t n, Function function) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(y + i, function(Load(a + i), Load(b + i)));
  if (i < n) {
    StorePart(y + i, function(LoadPart(a + i, n - i, 0.0F), LoadPart(b + i, n - i, 0.0F)), n - i);
  }
}

void Add(const float* a, const float* b, float* y, int64_t n) {
  Map(a, b, y, n, [](Float u, Float v) __attribute__((always_inline)) { return u + v; });
}

void Scale(const float* x, float* y, int64_t n, float scale, float softcap) {
  if (softcap > 0.0F) {
    const float inverse = 1.0F / softcap;
    Map(x, x, y, n, [=](Float u, Float) __attribute__((always_inline)) {
      return Tanh(u * scale * inverse) * softcap;
    });
  } else {
    Map(x, x, y, n, [=](Float u, Float) __attribute__((always_inline)) { return u * scale; });
  }
}

template <int kActivation>
void Gate(const float* gate, const float* up, float* y, int64_t n) {
  Map(gate, up, y, n,
      [](Float g, Float u) __attribute__((always_inline)) { return Activate<kActivation>(g) * u; });
}

void Gated(const float* gate, const float* up, float* y, int64_t n, int activation) {
  if (activation == 0) return Gate<0>(gate, up, y, n);
  if (activation == 1) return Gate<1>(gate, up, y, n);
  Gate<2>(gate, up, y, n);
}

void Accumulate(const float* x, float weight, float* y, int64_t n, int first) {
  if (first != 0) {
    Map(x, x, y, n, [=](Float u, Float) __attribute__((always_inline)) { return u * weight; });
  } else {
    Map(x, y, y, n,
        [=](Float u, Float v) __attribute__((always_inline)) { return Fma(u, Set(weight), v); });
  }
}

void RmsNorm(const float* x, const float* weight, float* y, int64_t n, float eps) {
  Float sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    for (int j = 0; j < 4; ++j) {
      const Float v = Load(x + i + j * kLanes);
      sums[j] = Fma(v, v, sums[j]);
    }
  }
  for (; i < n; i += kLanes) {
    const Float v = i + kLanes <= n ? Load(x + i) : LoadPart(x + i, n - i, 0.0F);
    sums[0] = Fma(v, v, sums[0]);
  }
  const float square = Sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  const float inverse = 1.0F / __builtin_sqrtf(square / static_cast<float>(n) + eps);
  Map(x, weight, y, n,
      [=](Float v, Float w) __attribute__((always_inline)) { return v * inverse * w; });
}

// ---- RoPE ---------------------------------------------------------------------------------------

void Rope(const float* x, float* y, const float* table, int64_t r, int64_t d, int interleaved) {
  const int64_t half = r / 2;
  const float* cosines = table;
  const float* sines = table + half;
  int64_t i = 0;
  if (interleaved != 0) {
    for (; i < half; ++i) {
      const float a = x[2 * i];
      const float b = x[2 * i + 1];
      y[2 * i] = a * cosines[i] - b * sines[i];
      y[2 * i + 1] = a * sines[i] + b * cosines[i];
    }
  } else {
    for (; i + kLanes <= half; i += kLanes) {
      const Float a = Load(x + i);
      const Float b = Load(x + i + half);
      const Float c = Load(cosines + i);
      const Float s = Load(sines + i);
      Store(y + i, a * c - b * s);
      Store(y + i + half, a * s + b * c);
    }
    for (; i < half; ++i) {
      const float a = x[i];
      const float b = x[i + half];
      y[i] = a * cosines[i] - b * sines[i];
      y[i + half] = a * sines[i] + b * cosines[i];
    }
  }
  if (x != y) __builtin_memcpy(y + r, x + r, static_cast<size_t>(d - r) * 4);
}

// ---- Softmax and selection ----------------------------------------------------------------------

float ExpSum(const float* x, float* y, int64_t n, float max) {
  Float sum = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Float e = Exp(Load(x + i) - max);
    Store(y + i, e);
    sum += e;
  }
  if (i < n) {
    const Float e = Exp(LoadPart(x + i, n - i, -__builtin_inff()) - max);
    StorePart(y + i, e, n - i);
    float rest[kLanes] = {};
    StorePart(rest, e, n - i);
    sum += Load(rest);
  }
  return Sum(sum);
}

float Maximum(const float* x, int64_t n) {
  Float largest = Set(-__builtin_inff());
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) largest = Max(Load(x + i), largest);
  if (i < n) largest = Max(LoadPart(x + i, n - i, -__builtin_inff()), largest);
  return Largest(largest);
}

int64_t FindAbove(const float* x, int64_t from, int64_t n, float threshold) {
  int64_t i = from;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    Int all = AsInt(Float{}) - 1;
    for (int j = 0; j < 4; ++j) all &= Load(x + i + j * kLanes) <= threshold;
    bool none = true;
    for (int j = 0; j < kLanes; ++j) none = none && all[j] != 0;
    if (!none) break;
  }
  for (; i < n; ++i) {
    if (!(x[i] <= threshold)) return i;
  }
  return n;
}

// ---- A linear's result --------------------------------------------------------------------------

SY_INLINE Float Gate(Float gate, Float up, int activation) {
  if (activation == 0) return Activate<0>(gate) * up;
  if (activation == 1) return Activate<1>(gate) * up;
  return Activate<2>(gate) * up;
}

void StoreTile(const TileStore* store, int panels) {
  const TileStore s = *store;
  for (int p = 0; p < panels; ++p) {
    const int64_t column = s.column + p * kLanes;
    const int64_t count = Smaller(kLanes, s.column + s.columns - column);
    if (count <= 0) return;
    Float bias = {};
    if (s.bias != nullptr) {
      bias = count == kLanes ? Load(s.bias + column) : LoadPart(s.bias + column, count, 0.0F);
    }
    for (int t = 0; t < s.tokens; ++t) {
      const int64_t at = (static_cast<int64_t>(p) * s.tile + t) * kLanes;
      Float v = Load(s.out + at);
      if (s.second != nullptr) v = Gate(v, Load(s.second + at), s.activation);
      if (s.bias != nullptr) v += bias;
      if (s.residual != nullptr) {
        const auto* residual =
            reinterpret_cast<const float*>(s.residual + s.residual_row[t]) + column;
        v += count == kLanes ? Load(residual) : LoadPart(residual, count, 0.0F);
      }
      char* row = s.y + s.y_row[t];
      if (s.y_type == kElementF32) {
        float* y = reinterpret_cast<float*>(row) + column;
        if (count == kLanes) {
          Store(y, v);
        } else {
          StorePart(y, v, count);
        }
      } else {
        float lanes[kLanes];
        Store(lanes, v);
        Narrow(lanes, row + column * 2, s.y_type, count);
      }
    }
  }
}

}  // namespace

void SetRowKernels(KernelTable* table) {
  table->store_tile = StoreTile;
  table->pack_activations[kActivationF32] = PackF32;
  table->pack_activations[kActivationBF16] = PackBF16;
  table->pack_activations[kActivationInt15] = PackInt15;
  table->widen = Widen;
  table->narrow = Narrow;
  table->rms_norm = RmsNorm;
  table->add = Add;
  table->scale = Scale;
  table->gated = Gated;
  table->accumulate = Accumulate;
  table->rope = Rope;
  table->exp_sum = ExpSum;
  table->maximum = Maximum;
  table->find_above = FindAbove;
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
