// Half-width floats as 16-bit patterns: IEEE binary16 and bfloat16, to and from float, rounding to
// nearest even, with NaN and infinity kept.
#pragma once

#include <cstdint>
#include <cstring>

namespace switchyard::chips {

inline std::uint32_t FloatBits(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float FloatOfBits(std::uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline float Bf16ToFloat(std::uint16_t bits) { return FloatOfBits(std::uint32_t{bits} << 16); }

inline std::uint16_t FloatToBf16(float value) {
  const std::uint32_t bits = FloatBits(value);
  // A NaN stays one, whatever bits are cut off.
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

// Without branches, so that compilers make vectors of it: the exponent is moved by a product, which
// normalises subnormals too, and put back for infinity and NaN.
inline float F16ToFloat(std::uint16_t bits) {
  const std::uint32_t magnitude = std::uint32_t{bits} & 0x7fffU;
  const std::uint32_t moved = FloatBits(FloatOfBits(magnitude << 13) * 0x1p112F);
  const std::uint32_t special = magnitude >= 0x7c00U ? 0x7f800000U : 0U;
  return FloatOfBits(moved | special | (std::uint32_t{bits} & 0x8000U) << 16);
}

inline std::uint16_t FloatToF16(float value) {
  const std::uint32_t bits = FloatBits(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  std::uint32_t narrow = 0;
  if (magnitude > 0x7f800000U) {
    narrow = 0x7e00U;
  } else if (magnitude >= 0x477ff000U) {  // 65520 and up
    narrow = 0x7c00U;
  } else if (magnitude < 0x38800000U) {  // subnormal: adding 0.5 rounds at bit 2^-24
    narrow = FloatBits(FloatOfBits(magnitude) + 0.5F) - 0x3f000000U;
  } else {
    narrow = (magnitude + 0xfffU + ((magnitude >> 13) & 1U) - 0x38000000U) >> 13;
  }
  return static_cast<std::uint16_t>(sign | narrow);
}

}  // namespace switchyard::chips
