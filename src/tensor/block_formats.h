// The quantised block formats of GGUF files, byte for byte, and plain exact conversion of whole
// rows to and from float. The truth that conformance and tests compare with; chips have fast
// versions of their own. Pure functions; safe from any thread.
//
// A row is a sequence of blocks of 32 or 256 elements; x[i] is element i of its block. Integers are
// little-endian, `half` is the bit pattern of an IEEE binary16. Codes of less than a byte are
// packed as "where" says: byte, then bits. Source: the GGUF format of the ggml project.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "tensor/dtype.h"

namespace switchyard::tensor {

using Half = std::uint16_t;

// x[i] = scale * (code - 8); codes of 4 bits, i < 16 in the low and i >= 16 in the high half of
// codes[i % 16].
struct BlockQ4_0 {
  Half scale;
  std::uint8_t codes[16];
};

// x[i] = scale * code + minimum; codes as in Q4_0.
struct BlockQ4_1 {
  Half scale;
  Half minimum;
  std::uint8_t codes[16];
};

// x[i] = scale * (code - 16); the low 4 bits as in Q4_0, bit 4 is bit i % 8 of high_bits[i / 8].
struct BlockQ5_0 {
  Half scale;
  std::uint8_t high_bits[4];
  std::uint8_t codes[16];
};

// x[i] = scale * code + minimum; codes as in Q5_0.
struct BlockQ5_1 {
  Half scale;
  Half minimum;
  std::uint8_t high_bits[4];
  std::uint8_t codes[16];
};

// x[i] = scale * codes[i].
struct BlockQ8_0 {
  Half scale;
  std::int8_t codes[32];
};

// 16 groups of 16. x[i] = scale * (scales[i / 16] & 15) * code - minimum * (scales[i / 16] >> 4).
// Codes of 2 bits: byte 32 * (i / 128) + i % 32, bits from 2 * (i % 128 / 32).
struct BlockQ2_K {
  std::uint8_t scales[16];
  std::uint8_t codes[64];
  Half scale;
  Half minimum;
};

// 16 groups of 16. x[i] = scale * (s - 32) * (code - 4), s of 6 bits, codes of 3. A code's low 2
// bits lie as in Q2_K, bit 2 is bit i / 32 of high_bits[i % 32]. For group g the low 4 bits of s
// are in scales[g % 8] from bit 4 * (g / 8), the high 2 in scales[8 + g % 4] from bit 2 * (g / 4).
struct BlockQ3_K {
  std::uint8_t high_bits[32];
  std::uint8_t codes[64];
  std::uint8_t scales[12];
  Half scale;
};

// 8 groups of 32. x[i] = scale * s * code - minimum * m, s and m of 6 bits, codes of 4. Codes: byte
// 32 * (i / 64) + i % 32, the low half for even groups. For group g < 4, s is the low 6 bits of
// scales[g] and m those of scales[4 + g]. For g >= 4 the low 4 bits of s and m are the low and the
// high half of scales[4 + g], their high 2 bits are the top 2 of scales[g - 4] and of scales[g].
struct BlockQ4_K {
  Half scale;
  Half minimum;
  std::uint8_t scales[12];
  std::uint8_t codes[128];
};

// As Q4_K with codes of 5 bits; bit 4 is bit i / 32 of high_bits[i % 32].
struct BlockQ5_K {
  Half scale;
  Half minimum;
  std::uint8_t scales[12];
  std::uint8_t high_bits[32];
  std::uint8_t codes[128];
};

// 16 groups of 16. x[i] = scale * scales[i / 16] * (code - 32). The low 4 bits: byte
// 64 * (i / 128) + i % 64 of codes, bits from 4 * (i % 128 / 64). The high 2: byte
// 32 * (i / 128) + i % 32 of high_bits, bits from 2 * (i % 128 / 32).
struct BlockQ6_K {
  std::uint8_t codes[128];
  std::uint8_t high_bits[64];
  std::int8_t scales[16];
  Half scale;
};

// x[i] = scale * kIQ4Levels[code]; codes as in Q4_0.
struct BlockIQ4_NL {
  Half scale;
  std::uint8_t codes[16];
};

// 8 groups of 32. x[i] = scale * (s - 32) * kIQ4Levels[code], s of 6 bits. Codes of group g lie as
// in Q4_0 in the 16 bytes from 16 * g. The low 4 bits of s are in scales_low[g / 2] from bit
// 4 * (g % 2), the high 2 in scales_high from bit 2 * g.
struct BlockIQ4_XS {
  Half scale;
  std::uint16_t scales_high;
  std::uint8_t scales_low[4];
  std::uint8_t codes[128];
};

// x[i] = 2^(exponent - 128) * kMXFP4Levels[code]; codes as in Q4_0. The OCP Microscaling format
// with E2M1 elements; levels are doubled to be integers, hence 128 in place of 127. Exponent 255,
// which OCP makes a NaN, is 2^127 here as in ggml.
struct BlockMXFP4 {
  std::uint8_t exponent;
  std::uint8_t codes[16];
};

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockQ2_K) == 84);
static_assert(sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176);
static_assert(sizeof(BlockQ6_K) == 210 && sizeof(BlockIQ4_NL) == 18 && sizeof(BlockIQ4_XS) == 136);
static_assert(sizeof(BlockMXFP4) == 17);

inline constexpr std::array<std::int8_t, 16> kIQ4Levels = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
inline constexpr std::array<std::int8_t, 16> kMXFP4Levels = {0, 1,  2,  3,  4,  6,  8,  12,
                                                             0, -1, -2, -3, -4, -6, -8, -12};

// Writes out.size() elements, which `bytes` must hold exactly, as whole blocks. `dtype` is F32,
// F16, BF16 or quantised. Each operation of the formulas above is rounded to float, left to right;
// so the result is the same on every machine.
base::Status Dequantise(DType dtype, std::span<const std::byte> bytes, std::span<float> out);

// Fills `bytes`, which must hold values.size() elements exactly, as whole blocks. Rounds each
// element to the nearest code under scales taken from the extremes of its block or group: plain,
// repeatable, and good enough for tests and synthetic models, but without the search for better
// scales or the importance weights of a model converter. Quantised formats refuse values that are
// not finite or, where the scale is a half, above 65504 in magnitude.
//
// Error of normally distributed values (root mean square over that of the values), and its bound
// for any values (over the largest magnitude in the block, where that is at least 1):
//   Q4_0 0.087 0.126   Q5_0 0.043 0.064   Q2_K 0.33  0.38   Q5_K 0.039 0.036   IQ4_NL 0.080 0.112
//   Q4_1 0.079 0.068   Q5_1 0.038 0.034   Q3_K 0.156 0.28   Q6_K 0.019 0.040   IQ4_XS 0.080 0.14
//   Q8_0 0.0054 0.0042                    Q4_K 0.079 0.071                     MXFP4  0.113 0.201
base::Status Quantise(DType dtype, std::span<const float> values, std::span<std::byte> bytes);

}  // namespace switchyard::tensor
