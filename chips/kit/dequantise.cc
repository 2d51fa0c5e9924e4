#include "kit/dequantise.h"

#include <cstring>

#include "kit/element_types.h"
#include "kit/half.h"

namespace switchyard::chips {
namespace {

using Byte = std::uint8_t;

constexpr float kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                  1,    13,   25,  38,  53,  69,  89,  113};
constexpr float kMxfp4Levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

std::uint16_t Word(const Byte* at) { return static_cast<std::uint16_t>(at[0] | at[1] << 8); }
float Half(const Byte* at) { return F16ToFloat(Word(at)); }
float Float(int value) { return static_cast<float>(value); }
int Signed(Byte byte) { return byte < 128 ? byte : byte - 256; }

// Where codes of less than a byte lie: of a block of 32, of the halves and of the quarters of a
// block of 256.
int Nibble(const Byte* codes, int i) { return (codes[i % 16] >> (i / 16 * 4)) & 15; }
int NibbleOf64(const Byte* codes, int i) {
  return (codes[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4)) & 15;
}
int NibbleOf128(const Byte* codes, int i) {
  return (codes[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4)) & 15;
}
int Pair(const Byte* codes, int i) {
  return (codes[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
}
int BitOf32(const Byte* bits, int i) { return (bits[i / 8] >> (i % 8)) & 1; }
int BitOf256(const Byte* bits, int i) { return (bits[i % 32] >> (i / 32)) & 1; }

void Q4_0(const Byte* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) out[i] = scale * Float(Nibble(block + 2, i) - 8);
}

void Q4_1(const Byte* block, float* out) {
  const float scale = Half(block);
  const float minimum = Half(block + 2);
  for (int i = 0; i < 32; ++i) {
    out[i] = scale * Float(Nibble(block + 4, i)) + minimum;
  }
}

void Q5_0(const Byte* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = scale * Float((Nibble(block + 6, i) | BitOf32(block + 2, i) << 4) - 16);
  }
}

void Q5_1(const Byte* block, float* out) {
  const float scale = Half(block);
  const float minimum = Half(block + 2);
  for (int i = 0; i < 32; ++i) {
    out[i] = scale * Float(Nibble(block + 8, i) | BitOf32(block + 4, i) << 4) + minimum;
  }
}

void Q8_0(const Byte* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) out[i] = scale * Float(Signed(block[2 + i]));
}

void Q2_K(const Byte* block, float* out) {
  const float scale = Half(block + 80);
  const float minimum = Half(block + 82);
  for (int i = 0; i < 256; ++i) {
    const int group = block[i / 16];
    out[i] = scale * Float(group & 15) * Float(Pair(block + 16, i)) - minimum * Float(group >> 4);
  }
}

void Q3_K(const Byte* block, float* out) {
  const float scale = Half(block + 108);
  const Byte* scales = block + 96;
  for (int i = 0; i < 256; ++i) {
    const int g = i / 16;
    const int group =
        ((scales[g % 8] >> (g / 8 * 4)) & 15) | ((scales[8 + g % 4] >> (g / 4 * 2)) & 3) << 4;
    const int code = Pair(block + 32, i) | BitOf256(block, i) << 2;
    out[i] = scale * Float(group - 32) * Float(code - 4);
  }
}

// Q4_K and Q5_K, which has a fifth bit of each code between the scales and the codes.
void KBlock(const Byte* block, const Byte* fifth_bits, const Byte* codes, float* out) {
  const float block_scale = Half(block);
  const float block_minimum = Half(block + 2);
  const Byte* scales = block + 4;
  for (int i = 0; i < 256; ++i) {
    const int g = i / 32;
    const bool is_split = g >= 4;
    const int scale = is_split ? (scales[4 + g] & 15) | scales[g - 4] >> 6 << 4 : scales[g] & 63;
    const int minimum = is_split ? scales[4 + g] >> 4 | scales[g] >> 6 << 4 : scales[4 + g] & 63;
    const int fifth = fifth_bits == nullptr ? 0 : BitOf256(fifth_bits, i) << 4;
    out[i] = block_scale * Float(scale) * Float(NibbleOf64(codes, i) | fifth) -
             block_minimum * Float(minimum);
  }
}
void Q4_K(const Byte* block, float* out) { KBlock(block, nullptr, block + 16, out); }
void Q5_K(const Byte* block, float* out) { KBlock(block, block + 16, block + 48, out); }

void Q6_K(const Byte* block, float* out) {
  const float scale = Half(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int code = NibbleOf128(block, i) | Pair(block + 128, i) << 4;
    out[i] = scale * Float(Signed(block[192 + i / 16])) * Float(code - 32);
  }
}

void Iq4Nl(const Byte* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) out[i] = scale * kIq4Levels[Nibble(block + 2, i)];
}

void Iq4Xs(const Byte* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 256; ++i) {
    const int g = i / 32;
    const int group = ((block[4 + g / 2] >> (g % 2 * 4)) & 15) | ((Word(block + 2) >> (2 * g)) & 3)
                                                                     << 4;
    out[i] = scale * Float(group - 32) * kIq4Levels[Nibble(block + 8 + 16 * g, i % 32)];
  }
}

void Mxfp4(const Byte* block, float* out) {
  // 2^(exponent - 128); the two smallest are subnormal floats.
  const float scale = FloatOfBits(block[0] < 2 ? 0x00200000U << block[0]
                                               : static_cast<std::uint32_t>(block[0] - 1) << 23);
  for (int i = 0; i < 32; ++i) out[i] = scale * kMxfp4Levels[Nibble(block + 1, i)];
}

// In the order of the types' numbers, from SY_Q4_0.
constexpr void (*kExpand[])(const Byte*, float*) = {Q4_0, Q4_1, Q5_0, Q5_1,  Q8_0,  Q2_K, Q3_K,
                                                    Q4_K, Q5_K, Q6_K, Iq4Nl, Iq4Xs, Mxfp4};

}  // namespace

void DequantiseRow(sy_dtype dtype, const void* row, std::int64_t count, float* out) {
  const auto* bytes = static_cast<const Byte*>(row);
  if (dtype == SY_F32) {
    std::memcpy(out, row, static_cast<std::size_t>(count) * sizeof(float));
  } else if (dtype == SY_F16) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = Half(bytes + 2 * i);
  } else if (dtype == SY_BF16) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = Bf16ToFloat(Word(bytes + 2 * i));
  } else {
    const ElementType& type = *FindElementType(dtype);
    for (std::int64_t i = 0; i < count; i += type.block_elements, bytes += type.block_bytes) {
      kExpand[dtype - SY_Q4_0](bytes, out + i);
    }
  }
}

}  // namespace switchyard::chips
