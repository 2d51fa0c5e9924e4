// Built without contraction of a * b + c into one rounding, so that results are the same bits on
// machines with and without fused multiply-add.
#include <bit>
#include <cstring>

#include "tensor/block_formats.h"
#include "tensor/half.h"
#include "tensor/internal/block_layout.h"

namespace switchyard::tensor {
namespace {

using namespace internal;  // NOLINT: the places, which every line below names

float Float(int value) { return static_cast<float>(value); }

void Expand(const BlockQ4_0& block, std::span<float, 32> out) {
  const float scale = F16ToFloat(block.scale);
  for (std::size_t i = 0; i < 32; ++i) {
    out[i] = scale * Float(Field(block.codes, Nibble16(i), 4) - 8);
  }
}

void Expand(const BlockQ4_1& block, std::span<float, 32> out) {
  const float scale = F16ToFloat(block.scale);
  const float minimum = F16ToFloat(block.minimum);
  for (std::size_t i = 0; i < 32; ++i) {
    out[i] = scale * Float(Field(block.codes, Nibble16(i), 4)) + minimum;
  }
}

template <typename Block>
int FiveBits(const Block& block, std::size_t i) {
  return Field(block.codes, Nibble16(i), 4) | Field(block.high_bits, Bit8(i), 1) << 4;
}

void Expand(const BlockQ5_0& block, std::span<float, 32> out) {
  const float scale = F16ToFloat(block.scale);
  for (std::size_t i = 0; i < 32; ++i) out[i] = scale * Float(FiveBits(block, i) - 16);
}

void Expand(const BlockQ5_1& block, std::span<float, 32> out) {
  const float scale = F16ToFloat(block.scale);
  const float minimum = F16ToFloat(block.minimum);
  for (std::size_t i = 0; i < 32; ++i) out[i] = scale * Float(FiveBits(block, i)) + minimum;
}

void Expand(const BlockQ8_0& block, std::span<float, 32> out) {
  const float scale = F16ToFloat(block.scale);
  for (std::size_t i = 0; i < 32; ++i) out[i] = scale * Float(block.codes[i]);
}

void Expand(const BlockQ2_K& block, std::span<float, 256> out) {
  const float scale = F16ToFloat(block.scale);
  const float minimum = F16ToFloat(block.minimum);
  for (std::size_t i = 0; i < 256; ++i) {
    const float group_scale = scale * Float(block.scales[i / 16] & 15);
    const float group_minimum = minimum * Float(block.scales[i / 16] >> 4);
    out[i] = group_scale * Float(Field(block.codes, Pair32(i), 2)) - group_minimum;
  }
}

void Expand(const BlockQ3_K& block, std::span<float, 256> out) {
  const float scale = F16ToFloat(block.scale);
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t g = i / 16;
    const int group = Field(block.scales, Q3ScaleLow(g), 4) | Field(block.scales, Q3ScaleHigh(g), 2)
                                                                  << 4;
    const int code = Field(block.codes, Pair32(i), 2) | Field(block.high_bits, Bit32(i), 1) << 2;
    out[i] = scale * Float(group - 32) * Float(code - 4);
  }
}

void Expand(const BlockQ4_K& block, std::span<float, 256> out) {
  const float scale = F16ToFloat(block.scale);
  const float minimum = F16ToFloat(block.minimum);
  for (std::size_t i = 0; i < 256; ++i) {
    const float group_scale = scale * Float(Field(block.scales, K4Scale(i / 32)));
    const float group_minimum = minimum * Float(Field(block.scales, K4Minimum(i / 32)));
    out[i] = group_scale * Float(Field(block.codes, Nibble32(i), 4)) - group_minimum;
  }
}

void Expand(const BlockQ5_K& block, std::span<float, 256> out) {
  const float scale = F16ToFloat(block.scale);
  const float minimum = F16ToFloat(block.minimum);
  for (std::size_t i = 0; i < 256; ++i) {
    const float group_scale = scale * Float(Field(block.scales, K4Scale(i / 32)));
    const float group_minimum = minimum * Float(Field(block.scales, K4Minimum(i / 32)));
    const int code = Field(block.codes, Nibble32(i), 4) | Field(block.high_bits, Bit32(i), 1) << 4;
    out[i] = group_scale * Float(code) - group_minimum;
  }
}

void Expand(const BlockQ6_K& block, std::span<float, 256> out) {
  const float scale = F16ToFloat(block.scale);
  for (std::size_t i = 0; i < 256; ++i) {
    const int code = Field(block.codes, Nibble64(i), 4) | Field(block.high_bits, Pair32(i), 2) << 4;
    out[i] = scale * Float(block.scales[i / 16]) * Float(code - 32);
  }
}

void Expand(const BlockIQ4_NL& block, std::span<float, 32> out) {
  const float scale = F16ToFloat(block.scale);
  for (std::size_t i = 0; i < 32; ++i) {
    out[i] =
        scale * Float(kIQ4Levels[static_cast<std::size_t>(Field(block.codes, Nibble16(i), 4))]);
  }
}

void Expand(const BlockIQ4_XS& block, std::span<float, 256> out) {
  const float scale = F16ToFloat(block.scale);
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t g = i / 32;
    const int group = Field(block.scales_low, PlaceAt(g / 2, 4 * (g % 2)), 4) |
                      ((block.scales_high >> (2 * g)) & 3) << 4;
    const auto code = static_cast<std::size_t>(Field(block.codes, Nibble16(i), 4));
    out[i] = scale * Float(group - 32) * Float(kIQ4Levels[code]);
  }
}

void Expand(const BlockMXFP4& block, std::span<float, 32> out) {
  // 2^(exponent - 128); the two smallest are subnormal floats.
  const std::uint32_t bits =
      block.exponent < 2 ? 0x00200000U << block.exponent : (block.exponent - 1U) << 23;
  const auto scale = std::bit_cast<float>(bits);
  for (std::size_t i = 0; i < 32; ++i) {
    out[i] =
        scale * Float(kMXFP4Levels[static_cast<std::size_t>(Field(block.codes, Nibble16(i), 4))]);
  }
}

template <typename Block, std::size_t kElements>
void ExpandRow(std::span<const std::byte> bytes, std::span<float> out) {
  for (std::size_t b = 0; b < out.size() / kElements; ++b) {
    Block block;  // a copy, as a row in a file may lie at any address
    std::memcpy(&block, bytes.data() + b * sizeof(Block), sizeof(Block));
    Expand(block, out.subspan(b * kElements).template first<kElements>());
  }
}

template <float (*kToFloat)(std::uint16_t)>
void WidenRow(std::span<const std::byte> bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + i * sizeof(bits), sizeof(bits));
    out[i] = kToFloat(bits);
  }
}

}  // namespace

base::Status Dequantise(DType dtype, std::span<const std::byte> bytes, std::span<float> out) {
  SWITCHYARD_TRY(const std::uint64_t needed,
                 RowBytes(dtype, static_cast<std::int64_t>(out.size())));
  if (bytes.size() != needed) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "{} elements of {} occupy {} bytes but {} were given", out.size(),
                      Name(dtype), needed, bytes.size());
  }
  if (out.empty()) return {};
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out.data(), bytes.data(), bytes.size());
      return {};
    case DType::kF16:
      WidenRow<F16ToFloat>(bytes, out);
      return {};
    case DType::kBF16:
      WidenRow<BF16ToFloat>(bytes, out);
      return {};
    case DType::kQ4_0:
      ExpandRow<BlockQ4_0, 32>(bytes, out);
      return {};
    case DType::kQ4_1:
      ExpandRow<BlockQ4_1, 32>(bytes, out);
      return {};
    case DType::kQ5_0:
      ExpandRow<BlockQ5_0, 32>(bytes, out);
      return {};
    case DType::kQ5_1:
      ExpandRow<BlockQ5_1, 32>(bytes, out);
      return {};
    case DType::kQ8_0:
      ExpandRow<BlockQ8_0, 32>(bytes, out);
      return {};
    case DType::kQ2_K:
      ExpandRow<BlockQ2_K, 256>(bytes, out);
      return {};
    case DType::kQ3_K:
      ExpandRow<BlockQ3_K, 256>(bytes, out);
      return {};
    case DType::kQ4_K:
      ExpandRow<BlockQ4_K, 256>(bytes, out);
      return {};
    case DType::kQ5_K:
      ExpandRow<BlockQ5_K, 256>(bytes, out);
      return {};
    case DType::kQ6_K:
      ExpandRow<BlockQ6_K, 256>(bytes, out);
      return {};
    case DType::kIQ4_NL:
      ExpandRow<BlockIQ4_NL, 32>(bytes, out);
      return {};
    case DType::kIQ4_XS:
      ExpandRow<BlockIQ4_XS, 256>(bytes, out);
      return {};
    case DType::kMXFP4:
      ExpandRow<BlockMXFP4, 32>(bytes, out);
      return {};
    case DType::kI32:
    case DType::kI64:
    case DType::kI8:
      break;
  }
  return base::Fail(base::ErrorCode::kInvalidArgument, "{} is no type of weights", Name(dtype));
}

}  // namespace switchyard::tensor
