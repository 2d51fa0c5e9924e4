#include "row_codes.h"

#include <algorithm>
#include <cstring>

namespace switchyard::cpu {
namespace {

using Byte = std::uint8_t;

// Sixteen bytes of nibbles: the low ones are elements 0..15, the high ones 16..31.
void Nibbles(const Byte* from, Byte* codes) {
  for (int j = 0; j < 16; ++j) {
    codes[j] = from[j] & 0x0f;
    codes[j + 16] = from[j] >> 4;
  }
}

// The fifth bits of 32 elements, one bit each.
void AddFifthBits(const Byte* from, Byte* codes) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, from, 4);
  for (int j = 0; j < 32; ++j) codes[j] |= static_cast<Byte>(((bits >> j) & 1U) << 4);
}

// Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL and MXFP4: scale, [min], [fifth bits], nibbles.
void Block32(const Byte* block, int scale_bytes, bool has_min, bool has_fifth, std::int64_t b,
             const RowCodes& to) {
  Byte* codes = to.codes + b * 32;
  std::memcpy(to.scale + b * scale_bytes, block, static_cast<std::size_t>(scale_bytes));
  block += scale_bytes;
  if (has_min) {
    std::memcpy(to.min + b * 2, block, 2);
    block += 2;
  }
  Nibbles(block + (has_fifth ? 4 : 0), codes);
  if (has_fifth) AddFifthBits(block, codes);
}

void BlockQ8_0(const Byte* block, std::int64_t b, const RowCodes& to) {
  std::memcpy(to.scale + b * 2, block, 2);
  std::memcpy(to.codes + b * 32, block + 2, 32);
}

void BlockQ2_K(const Byte* block, std::int64_t b, const RowCodes& to) {
  const Byte* quants = block + 16;
  std::memcpy(to.scale + b * 16, block, 16);
  std::memcpy(to.super_scale + b * 2, block + 80, 2);
  std::memcpy(to.super_min + b * 2, block + 82, 2);
  Byte* codes = to.codes + b * 256;
  for (int e = 0; e < 256; ++e) {
    codes[e] = static_cast<Byte>((quants[e / 128 * 32 + e % 32] >> (e % 128 / 32 * 2)) & 3);
  }
}

void BlockQ3_K(const Byte* block, std::int64_t b, const RowCodes& to) {
  const Byte* high = block;
  const Byte* quants = block + 32;
  const Byte* scales = block + 96;
  std::memcpy(to.super_scale + b * 2, block + 108, 2);
  Byte* codes = to.codes + b * 256;
  for (int e = 0; e < 256; ++e) {
    const int low = (quants[e / 128 * 32 + e % 32] >> (e % 128 / 32 * 2)) & 3;
    const int bit = (high[e % 32] >> (e / 32)) & 1;
    codes[e] = static_cast<Byte>(low | (bit << 2));
  }
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? scales[i] & 0x0f : scales[i - 8] >> 4;
    const int top = (scales[8 + i % 4] >> (2 * (i / 4))) & 3;
    to.scale[b * 16 + i] = static_cast<Byte>((low | (top << 4)) - 32);
  }
}

// The twelve bytes of Q4_K and Q5_K: eight six-bit scales and eight six-bit minima.
void SixBitPairs(const Byte* from, Byte* scale, Byte* min) {
  for (int j = 0; j < 4; ++j) {
    scale[j] = from[j] & 63;
    min[j] = from[j + 4] & 63;
    scale[j + 4] = static_cast<Byte>((from[j + 8] & 0x0f) | ((from[j] >> 6) << 4));
    min[j + 4] = static_cast<Byte>((from[j + 8] >> 4) | ((from[j + 4] >> 6) << 4));
  }
}

void BlockQ45_K(const Byte* block, bool has_fifth, std::int64_t b, const RowCodes& to) {
  std::memcpy(to.super_scale + b * 2, block, 2);
  std::memcpy(to.super_min + b * 2, block + 2, 2);
  SixBitPairs(block + 4, to.scale + b * 8, to.min + b * 8);
  const Byte* fifth = block + 16;
  const Byte* quants = block + (has_fifth ? 48 : 16);
  Byte* codes = to.codes + b * 256;
  for (int e = 0; e < 256; ++e) {
    const Byte pair = quants[e / 64 * 32 + e % 32];
    int code = e % 64 < 32 ? pair & 0x0f : pair >> 4;
    if (has_fifth) code |= ((fifth[e % 32] >> (e / 32)) & 1) << 4;
    codes[e] = static_cast<Byte>(code);
  }
}

void BlockQ6_K(const Byte* block, std::int64_t b, const RowCodes& to) {
  const Byte* low = block;
  const Byte* high = block + 128;
  std::memcpy(to.scale + b * 16, block + 192, 16);
  std::memcpy(to.super_scale + b * 2, block + 208, 2);
  Byte* codes = to.codes + b * 256;
  for (int e = 0; e < 256; ++e) {
    const int half = e / 128;
    const int quarter = e % 128 / 32;
    const Byte pair = low[half * 64 + e % 64];
    const int nibble = quarter < 2 ? pair & 0x0f : pair >> 4;
    const int top = (high[half * 32 + e % 32] >> (2 * quarter)) & 3;
    codes[e] = static_cast<Byte>(nibble | (top << 4));
  }
}

void BlockIQ4_XS(const Byte* block, std::int64_t b, const RowCodes& to) {
  std::memcpy(to.super_scale + b * 2, block, 2);
  std::uint16_t high = 0;
  std::memcpy(&high, block + 2, 2);
  for (int i = 0; i < 8; ++i) {
    const int low = (block[4 + i / 2] >> (4 * (i % 2))) & 0x0f;
    const int top = (high >> (2 * i)) & 3;
    to.scale[b * 8 + i] = static_cast<Byte>((low | (top << 4)) - 32);
    Nibbles(block + 8 + 16 * i, to.codes + b * 256 + 32 * i);
  }
}

}  // namespace

void TakeApart(PanelFormat format, const Byte* row, std::int64_t k, const RowCodes& to) {
  switch (format) {
    case kPanelQ4_0:
    case kPanelIQ4_NL:
      for (std::int64_t b = 0; b < k / 32; ++b) Block32(row + b * 18, 2, false, false, b, to);
      break;
    case kPanelQ4_1:
      for (std::int64_t b = 0; b < k / 32; ++b) Block32(row + b * 20, 2, true, false, b, to);
      break;
    case kPanelQ5_0:
      for (std::int64_t b = 0; b < k / 32; ++b) Block32(row + b * 22, 2, false, true, b, to);
      break;
    case kPanelQ5_1:
      for (std::int64_t b = 0; b < k / 32; ++b) Block32(row + b * 24, 2, true, true, b, to);
      break;
    case kPanelMXFP4:
      for (std::int64_t b = 0; b < k / 32; ++b) {
        Block32(row + b * 17, 1, false, false, b, to);
        // The table of codes is doubled to be whole numbers, so the power of two is one less.
        to.scale[b] = static_cast<Byte>(std::max<int>(to.scale[b], 1) - 1);
      }
      break;
    case kPanelQ8_0:
      for (std::int64_t b = 0; b < k / 32; ++b) BlockQ8_0(row + b * 34, b, to);
      break;
    case kPanelQ2_K:
      for (std::int64_t b = 0; b < k / 256; ++b) BlockQ2_K(row + b * 84, b, to);
      break;
    case kPanelQ3_K:
      for (std::int64_t b = 0; b < k / 256; ++b) BlockQ3_K(row + b * 110, b, to);
      break;
    case kPanelQ4_K:
      for (std::int64_t b = 0; b < k / 256; ++b) BlockQ45_K(row + b * 144, false, b, to);
      break;
    case kPanelQ5_K:
      for (std::int64_t b = 0; b < k / 256; ++b) BlockQ45_K(row + b * 176, true, b, to);
      break;
    case kPanelQ6_K:
      for (std::int64_t b = 0; b < k / 256; ++b) BlockQ6_K(row + b * 210, b, to);
      break;
    case kPanelIQ4_XS:
      for (std::int64_t b = 0; b < k / 256; ++b) BlockIQ4_XS(row + b * 136, b, to);
      break;
    default:
      break;  // plain numbers have no codes
  }
}

}  // namespace switchyard::cpu
