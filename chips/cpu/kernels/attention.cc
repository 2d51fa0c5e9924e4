// Attention of up to eight (query, head) pairs over one chunk of 128 positions of a key/value head.
//
// Keys are interleaved by sixteen positions, so a vector's lanes are positions and every score is
// one chain of multiply-adds over d; values are rows, so lanes are elements of the output and every
// output is one chain over positions. No sum runs across lanes but the softmax's, over a fixed
// chunk. So the arithmetic of a pair is the same with one query as with many, and the same however
// chunks are shared out; chunks are then merged in order (Merge). This is the split softmax of
// Milakov and Gimelshein (2018) and FlashDecoding, with the split at fixed positions.
#include "simd.h"
#include "table_parts.h"
#include "vector_math.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {
namespace {

constexpr int kParts = kKeyBlock / kLanes;  // vectors in a block of sixteen positions
constexpr int kMaxRows = kLanes == 16 ? kAttentionRows : 4;

using Scores = float[kAttentionRows][kChunk];

// ---- Scores: q . k -----------------------------------------------------------------------------

template <int kType, int kRows, int kBlocks>
SY_INLINE void ScoreBlocks(const AttentionChunk& c, int row, int block, Scores& scores) {
  constexpr int64_t kElement = kType == kElementF32 ? 4 : 2;
  Float acc[kRows][kBlocks * kParts];
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kBlocks * kParts; ++j) acc[r][j] = Float{};
  }
  const float* q = c.q + row * c.d;
  for (int64_t i = 0; i < c.d; ++i) {
    Float k[kBlocks * kParts];
    for (int b = 0; b < kBlocks; ++b) {
      const char* at = c.k[block + b] + i * kKeyBlock * kElement;
      for (int part = 0; part < kParts; ++part) {
        k[b * kParts + part] = LoadAs<kType>(at, part * kLanes);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const Float x = Set(q[r * c.d + i]);
      for (int j = 0; j < kBlocks * kParts; ++j) acc[r][j] = Fma(x, k[j], acc[r][j]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kBlocks * kParts; ++j) {
      Store(scores[row + r] + block * kKeyBlock + j * kLanes, acc[r][j]);
    }
  }
}

template <int kType, int kRows>
void ScoreRows(const AttentionChunk& c, int row, Scores& scores) {
  // As many blocks at once as registers hold sums for.
  constexpr int kBlocks = kLanes == 16 ? (kRows <= 2 ? 4 : (kRows <= 5 ? 4 : 2)) : 1;
  int block = 0;
  for (; block + kBlocks <= c.blocks; block += kBlocks) {
    ScoreBlocks<kType, kRows, kBlocks>(c, row, block, scores);
  }
  for (; block < c.blocks; ++block) ScoreBlocks<kType, kRows, 1>(c, row, block, scores);
}

// ---- Values: p . v ------------------------------------------------------------------------------

template <int kType, int kRows, int kColumns>
SY_INLINE void AddColumns(const AttentionChunk& c, int row, int64_t column, int begin, int end,
                          const Scores& p) {
  constexpr int64_t kElement = kType == kElementF32 ? 4 : 2;
  Float acc[kRows][kColumns];
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kColumns; ++j) {
      acc[r][j] = Load(c.o + (row + r) * c.dv + column + j * kLanes);
    }
  }
  int position = begin;
  while (position < end) {
    const int block = position / kKeyBlock;
    const int stop = end < (block + 1) * kKeyBlock ? end : (block + 1) * kKeyBlock;
    const char* v = c.v[block] + ((position % kKeyBlock) * c.dv + column) * kElement;
    for (; position < stop; ++position) {
      Float value[kColumns];
      for (int j = 0; j < kColumns; ++j) value[j] = LoadAs<kType>(v, j * kLanes);
      for (int r = 0; r < kRows; ++r) {
        const Float weight = Set(p[row + r][position]);
        for (int j = 0; j < kColumns; ++j) acc[r][j] = Fma(weight, value[j], acc[r][j]);
      }
      v += c.dv * kElement;
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kColumns; ++j) {
      Store(c.o + (row + r) * c.dv + column + j * kLanes, acc[r][j]);
    }
  }
}

// The last dv % kLanes columns, one row at a time through a padded vector.
template <int kType>
void AddLastColumns(const AttentionChunk& c, int row, int64_t column, int begin, int end,
                    const Scores& p) {
  constexpr int64_t kElement = kType == kElementF32 ? 4 : 2;
  const int64_t count = c.dv - column;
  float* o = c.o + row * c.dv + column;
  Float acc = LoadPart(o, count, 0.0F);
  for (int position = begin; position < end; ++position) {
    char rest[kLanes * 4] = {};
    __builtin_memcpy(
        rest, c.v[position / kKeyBlock] + ((position % kKeyBlock) * c.dv + column) * kElement,
        static_cast<size_t>(count * kElement));
    acc = Fma(Set(p[row][position]), LoadAs<kType>(rest, 0), acc);
  }
  StorePart(o, acc, count);
}

template <int kType, int kRows>
void AddRows(const AttentionChunk& c, int row, int begin, int end, const Scores& p) {
  if (begin >= end) return;
  constexpr int kColumns = kLanes == 16 ? (kRows <= 2 ? 8 : (kRows <= 5 ? 4 : 2)) : 2;
  int64_t column = 0;
  for (; column + kColumns * kLanes <= c.dv; column += kColumns * kLanes) {
    AddColumns<kType, kRows, kColumns>(c, row, column, begin, end, p);
  }
  if constexpr (kColumns == 8) {
    for (; column + 4 * kLanes <= c.dv; column += 4 * kLanes) {
      AddColumns<kType, kRows, 4>(c, row, column, begin, end, p);
    }
  }
  for (; column + kLanes <= c.dv; column += kLanes) {
    AddColumns<kType, kRows, 1>(c, row, column, begin, end, p);
  }
  if (column < c.dv) {
    for (int r = 0; r < kRows; ++r) AddLastColumns<kType>(c, row + r, column, begin, end, p);
  }
}

// Rows that see positions of a different range (causality, windows) do what they share together.
template <int kType, int kRows>
void AddValues(const AttentionChunk& c, int row, const Scores& p) {
  int begin = 0;
  int end = kChunk;
  for (int r = row; r < row + kRows; ++r) {
    begin = c.begin[r] > begin ? c.begin[r] : begin;
    end = c.end[r] < end ? c.end[r] : end;
  }
  if (begin >= end) {
    for (int r = row; r < row + kRows; ++r) AddRows<kType, 1>(c, r, c.begin[r], c.end[r], p);
    return;
  }
  for (int r = row; r < row + kRows; ++r) AddRows<kType, 1>(c, r, c.begin[r], begin, p);
  AddRows<kType, kRows>(c, row, begin, end, p);
  for (int r = row; r < row + kRows; ++r) AddRows<kType, 1>(c, r, end, c.end[r], p);
}

// ---- The softmax of one row in its chunk -------------------------------------------------------

alignas(64) constexpr int32_t kOrdinals[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                               8, 9, 10, 11, 12, 13, 14, 15};

void Softmax(const AttentionChunk& c, int row, float* scores) {
  typedef Int IntVectorAt __attribute__((aligned(4), may_alias));
  const Int ordinals = *reinterpret_cast<const IntVectorAt*>(kOrdinals);
  const Float none = Set(-__builtin_inff());
  const int begin = c.begin[row];
  const int end = c.end[row];
  const int vectors = c.blocks * kParts;
  Float largest = none;
  for (int j = 0; j < vectors; ++j) {
    const Int position = ordinals + j * kLanes;
    Float s = Load(scores + j * kLanes) * c.scale;
    if (c.softcap > 0.0F) s = Tanh(s * (1.0F / c.softcap)) * c.softcap;
    s = ((position >= begin) & (position < end)) != 0 ? s : none;
    Store(scores + j * kLanes, s);
    largest = Max(s, largest);
  }
  const float max = Largest(largest);
  Float sum = {};
  for (int j = 0; j < vectors; ++j) {
    const Float s = Load(scores + j * kLanes);
    const Float p = Exp(s - max);
    Store(scores + j * kLanes, p);
    // A masked lane is 0 even where max is not a number to subtract.
    const Int position = ordinals + j * kLanes;
    sum += ((position >= begin) & (position < end)) != 0 ? p : Float{};
  }
  c.max[row] = max;
  c.sum[row] = Sum(sum);
}

template <int kType, int kRows>
void AttendRows(const AttentionChunk& c, int row) {
  alignas(64) Scores scores;
  ScoreRows<kType, kRows>(c, row, scores);
  for (int r = row; r < row + kRows; ++r) {
    Softmax(c, r, scores[r]);
    __builtin_memset(c.o + r * c.dv, 0, static_cast<size_t>(c.dv) * 4);
  }
  AddValues<kType, kRows>(c, row, scores);
}

template <int kType>
void AttendAs(const AttentionChunk& c) {
  int row = 0;
  if constexpr (kMaxRows == 8) {
    if (c.rows == 8) return AttendRows<kType, 8>(c, 0);
    if (c.rows == 7) return AttendRows<kType, 7>(c, 0);
    if (c.rows == 6) return AttendRows<kType, 6>(c, 0);
    if (c.rows == 5) return AttendRows<kType, 5>(c, 0);
  }
  for (; row + 4 <= c.rows; row += 4) AttendRows<kType, 4>(c, row);
  if (row + 3 == c.rows) return AttendRows<kType, 3>(c, row);
  if (row + 2 == c.rows) return AttendRows<kType, 2>(c, row);
  if (row + 1 == c.rows) return AttendRows<kType, 1>(c, row);
}

void Attend(const AttentionChunk* chunk) {
  if (chunk->kv_type == kElementF32) return AttendAs<kElementF32>(*chunk);
  if (chunk->kv_type == kElementF16) return AttendAs<kElementF16>(*chunk);
  AttendAs<kElementBF16>(*chunk);
}

// ---- Chunks together ----------------------------------------------------------------------------

float ExpOf(float x) {
  const Float e = Exp(Set(x));
  return e[0];
}

void Merge(float* max, float* sum, float* o, float chunk_max, float chunk_sum, const float* chunk_o,
           int64_t dv) {
  const float larger = *max > chunk_max ? *max : chunk_max;
  const float keep = ExpOf(*max - larger);
  const float add = ExpOf(chunk_max - larger);
  *max = larger;
  *sum = *sum * keep + chunk_sum * add;
  int64_t i = 0;
  for (; i + kLanes <= dv; i += kLanes) {
    Store(o + i, Fma(Load(o + i), Set(keep), Load(chunk_o + i) * add));
  }
  if (i < dv) {
    const Float v =
        Fma(LoadPart(o + i, dv - i, 0.0F), Set(keep), LoadPart(chunk_o + i, dv - i, 0.0F) * add);
    StorePart(o + i, v, dv - i);
  }
}

void Divide(float* o, float sum, int64_t dv) {
  const float inverse = 1.0F / sum;
  int64_t i = 0;
  for (; i + kLanes <= dv; i += kLanes) Store(o + i, Load(o + i) * inverse);
  for (; i < dv; ++i) o[i] *= inverse;
}

void StoreKey(const float* key, int64_t d, char* block, int position, int type) {
  typedef float FloatElement __attribute__((may_alias));
  typedef uint16_t HalfElement __attribute__((may_alias));
  if (type == kElementF32) {
    auto* to = reinterpret_cast<FloatElement*>(block) + position;
    for (int64_t i = 0; i < d; ++i) to[i * kKeyBlock] = key[i];
    return;
  }
  auto* to = reinterpret_cast<HalfElement*>(block) + position;
  for (int64_t i = 0; i < d; i += kLanes) {
    const int64_t count = d - i < kLanes ? d - i : kLanes;
    const Float v = count == kLanes ? Load(key + i) : LoadPart(key + i, count, 0.0F);
    uint16_t halves[kLanes];
    StoreHalf(halves, type == kElementF16 ? ToF16(v) : ToBF16(v));
    for (int64_t j = 0; j < count; ++j) to[(i + j) * kKeyBlock] = halves[j];
  }
}

}  // namespace

void SetAttentionKernels(KernelTable* table) {
  table->store_key = StoreKey;
  table->attend = Attend;
  table->merge = Merge;
  table->divide = Divide;
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
