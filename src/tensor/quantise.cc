// Built without contraction of a * b + c into one rounding, so that the same values give the same
// bytes on every machine.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/block_formats.h"
#include "tensor/half.h"
#include "tensor/internal/block_layout.h"

namespace switchyard::tensor {
namespace {

using namespace internal;  // NOLINT: the places, which every line below names

// The nearest integer within [low, high]; `value` is finite.
int RoundWithin(float value, int low, int high) {
  const float held = std::clamp(value, static_cast<float>(low), static_cast<float>(high));
  return static_cast<int>(held + (held < 0.0F ? -0.5F : 0.5F));
}

// 1 / scale; 0 for the zero scale of a block of zeros, or of values too small for a half, and for
// scales so small that 1 / scale is infinite.
float Inverse(float scale) {
  const float inverse = 1.0F / scale;
  return std::isfinite(inverse) ? inverse : 0.0F;
}

// The scale as the block will hold it, so that codes are chosen for what will be read back.
float Stored(float value, Half& place) {
  place = FloatToF16(value);
  return F16ToFloat(place);
}

float LargestBySize(std::span<const float> values) {
  float largest = 0.0F;
  // Beside it, since clang 19 takes std::abs(largest) for `largest` where it begins at zero.
  float size = 0.0F;
  for (const float value : values) {
    if (std::abs(value) > size) {
      size = std::abs(value);
      largest = value;
    }
  }
  return largest;
}

int NearestLevel(float value, const std::array<std::int8_t, 16>& levels) {
  int best = 0;
  float best_distance = std::abs(value - static_cast<float>(levels[0]));
  for (int i = 1; i < 16; ++i) {
    const float distance =
        std::abs(value - static_cast<float>(levels[static_cast<std::size_t>(i)]));
    if (distance < best_distance) {
      best_distance = distance;
      best = i;
    }
  }
  return best;
}

// The value of largest size gets the most negative code, which is one further from zero than the
// most positive.
void Pack(std::span<const float, 32> x, BlockQ4_0& block) {
  const float inverse = Inverse(Stored(LargestBySize(x) / -8.0F, block.scale));
  for (std::size_t i = 0; i < 32; ++i) {
    SetField(block.codes, Nibble16(i), 4, RoundWithin(x[i] * inverse, -8, 7) + 8);
  }
}

void Pack(std::span<const float, 32> x, BlockQ4_1& block) {
  const auto [low, high] = std::ranges::minmax(x);
  const float minimum = Stored(low, block.minimum);
  const float inverse = Inverse(Stored((high - low) / 15.0F, block.scale));
  for (std::size_t i = 0; i < 32; ++i) {
    SetField(block.codes, Nibble16(i), 4, RoundWithin((x[i] - minimum) * inverse, 0, 15));
  }
}

template <typename Block>
void SetFiveBits(Block& block, std::size_t i, int code) {
  SetField(block.codes, Nibble16(i), 4, code);
  SetField(block.high_bits, Bit8(i), 1, code >> 4);
}

void Pack(std::span<const float, 32> x, BlockQ5_0& block) {
  const float inverse = Inverse(Stored(LargestBySize(x) / -16.0F, block.scale));
  for (std::size_t i = 0; i < 32; ++i) {
    SetFiveBits(block, i, RoundWithin(x[i] * inverse, -16, 15) + 16);
  }
}

void Pack(std::span<const float, 32> x, BlockQ5_1& block) {
  const auto [low, high] = std::ranges::minmax(x);
  const float minimum = Stored(low, block.minimum);
  const float inverse = Inverse(Stored((high - low) / 31.0F, block.scale));
  for (std::size_t i = 0; i < 32; ++i) {
    SetFiveBits(block, i, RoundWithin((x[i] - minimum) * inverse, 0, 31));
  }
}

void Pack(std::span<const float, 32> x, BlockQ8_0& block) {
  const float inverse = Inverse(Stored(std::abs(LargestBySize(x)) / 127.0F, block.scale));
  for (std::size_t i = 0; i < 32; ++i) {
    block.codes[i] = static_cast<std::int8_t>(RoundWithin(x[i] * inverse, -127, 127));
  }
}

// Groups with a scale and a minimum each, both unsigned codes under the block's own: Q2_K, Q4_K and
// Q5_K. Scales are chosen after the minimums are rounded, to cover what these leave.
template <std::size_t kGroupSize>
struct AffineGroups {
  static constexpr std::size_t kGroups = 256 / kGroupSize;

  AffineGroups(std::span<const float, 256> x, int max_code, int max_scale, Half& scale_place,
               Half& minimum_place) {
    std::array<float, kGroups> depth{};  // how far below zero the group reaches
    std::array<float, kGroups> high{};
    for (std::size_t g = 0; g < kGroups; ++g) {
      const auto [low, top] = std::ranges::minmax(x.subspan(g * kGroupSize, kGroupSize));
      depth[g] = std::max(0.0F, -low);
      high[g] = top;
    }
    const auto scale_limit = static_cast<float>(max_scale);
    const float minimum = Stored(std::ranges::max(depth) / scale_limit, minimum_place);
    std::array<float, kGroups> step{};
    for (std::size_t g = 0; g < kGroups; ++g) {
      minimums[g] = RoundWithin(depth[g] * Inverse(minimum), 0, max_scale);
      depth[g] = minimum * static_cast<float>(minimums[g]);
      step[g] = std::max(0.0F, high[g] + depth[g]) / static_cast<float>(max_code);
    }
    const float scale = Stored(std::ranges::max(step) / scale_limit, scale_place);
    for (std::size_t g = 0; g < kGroups; ++g) {
      scales[g] = RoundWithin(step[g] * Inverse(scale), 0, max_scale);
      const float inverse = Inverse(scale * static_cast<float>(scales[g]));
      for (std::size_t i = g * kGroupSize; i < (g + 1) * kGroupSize; ++i) {
        codes[i] = RoundWithin((x[i] + depth[g]) * inverse, 0, max_code);
      }
    }
  }

  std::array<int, kGroups> scales{};
  std::array<int, kGroups> minimums{};
  std::array<int, 256> codes{};
};

void Pack(std::span<const float, 256> x, BlockQ2_K& block) {
  const AffineGroups<16> groups(x, 3, 15, block.scale, block.minimum);
  for (std::size_t g = 0; g < 16; ++g) {
    block.scales[g] = static_cast<std::uint8_t>(groups.scales[g] | groups.minimums[g] << 4);
  }
  for (std::size_t i = 0; i < 256; ++i) SetField(block.codes, Pair32(i), 2, groups.codes[i]);
}

template <typename Block>
void SetK4Scales(Block& block, const AffineGroups<32>& groups) {
  for (std::size_t g = 0; g < 8; ++g) {
    SetField(block.scales, K4Scale(g), groups.scales[g]);
    SetField(block.scales, K4Minimum(g), groups.minimums[g]);
  }
}

void Pack(std::span<const float, 256> x, BlockQ4_K& block) {
  const AffineGroups<32> groups(x, 15, 63, block.scale, block.minimum);
  SetK4Scales(block, groups);
  for (std::size_t i = 0; i < 256; ++i) SetField(block.codes, Nibble32(i), 4, groups.codes[i]);
}

void Pack(std::span<const float, 256> x, BlockQ5_K& block) {
  const AffineGroups<32> groups(x, 31, 63, block.scale, block.minimum);
  SetK4Scales(block, groups);
  for (std::size_t i = 0; i < 256; ++i) {
    SetField(block.codes, Nibble32(i), 4, groups.codes[i]);
    SetField(block.high_bits, Bit32(i), 1, groups.codes[i] >> 4);
  }
}

// Groups with a signed scale under the block's own: Q3_K, Q6_K and IQ4_XS. `lowest` is the level
// that a group's value of largest size shall get; scales[g] ends up within [-scale_limit,
// scale_limit - 1].
template <std::size_t kGroupSize>
struct SymmetricGroups {
  static constexpr std::size_t kGroups = 256 / kGroupSize;

  SymmetricGroups(std::span<const float, 256> x, int lowest, int scale_limit, Half& scale_place) {
    std::array<float, kGroups> step{};
    for (std::size_t g = 0; g < kGroups; ++g) {
      step[g] = LargestBySize(x.subspan(g * kGroupSize, kGroupSize)) / static_cast<float>(lowest);
    }
    const float scale = Stored(LargestBySize(step) / static_cast<float>(-scale_limit), scale_place);
    for (std::size_t g = 0; g < kGroups; ++g) {
      scales[g] = RoundWithin(step[g] * Inverse(scale), -scale_limit, scale_limit - 1);
      inverses[g] = Inverse(scale * static_cast<float>(scales[g]));
    }
  }

  std::array<int, kGroups> scales{};
  std::array<float, kGroups> inverses{};  // of the group's whole scale
};

void Pack(std::span<const float, 256> x, BlockQ3_K& block) {
  const SymmetricGroups<16> groups(x, -4, 32, block.scale);
  for (std::size_t g = 0; g < 16; ++g) {
    const int scale = groups.scales[g] + 32;
    SetField(block.scales, Q3ScaleLow(g), 4, scale);
    SetField(block.scales, Q3ScaleHigh(g), 2, scale >> 4);
  }
  for (std::size_t i = 0; i < 256; ++i) {
    const int code = RoundWithin(x[i] * groups.inverses[i / 16], -4, 3) + 4;
    SetField(block.codes, Pair32(i), 2, code);
    SetField(block.high_bits, Bit32(i), 1, code >> 2);
  }
}

void Pack(std::span<const float, 256> x, BlockQ6_K& block) {
  const SymmetricGroups<16> groups(x, -32, 128, block.scale);
  for (std::size_t g = 0; g < 16; ++g) {
    block.scales[g] = static_cast<std::int8_t>(groups.scales[g]);
  }
  for (std::size_t i = 0; i < 256; ++i) {
    const int code = RoundWithin(x[i] * groups.inverses[i / 16], -32, 31) + 32;
    SetField(block.codes, Nibble64(i), 4, code);
    SetField(block.high_bits, Pair32(i), 2, code >> 4);
  }
}

void Pack(std::span<const float, 32> x, BlockIQ4_NL& block) {
  const float inverse = Inverse(Stored(LargestBySize(x) / -127.0F, block.scale));
  for (std::size_t i = 0; i < 32; ++i) {
    SetField(block.codes, Nibble16(i), 4, NearestLevel(x[i] * inverse, kIQ4Levels));
  }
}

void Pack(std::span<const float, 256> x, BlockIQ4_XS& block) {
  const SymmetricGroups<32> groups(x, -127, 32, block.scale);
  int scales_high = 0;
  for (std::size_t g = 0; g < 8; ++g) {
    const int scale = groups.scales[g] + 32;
    SetField(block.scales_low, PlaceAt(g / 2, 4 * (g % 2)), 4, scale);
    scales_high |= (scale >> 4) << (2 * g);
  }
  block.scales_high = static_cast<std::uint16_t>(scales_high);
  for (std::size_t i = 0; i < 256; ++i) {
    SetField(block.codes, Nibble16(i), 4, NearestLevel(x[i] * groups.inverses[i / 32], kIQ4Levels));
  }
}

// The power of two below the largest value becomes level 4 of E2M1 (0, .5, 1, 1.5, 2, 3, 4, 6), as
// the OCP specification has it, but a value that would saturate by more than rounding costs (7 and
// up) becomes half of that.
void Pack(std::span<const float, 32> x, BlockMXFP4& block) {
  const float largest = std::abs(LargestBySize(x));
  if (largest == 0.0F) return;
  int exponent = std::ilogb(largest) - 2;
  if (std::ldexp(largest, -exponent) >= 7.0F) ++exponent;
  exponent = std::max(exponent, -127);
  block.exponent = static_cast<std::uint8_t>(exponent + 127);
  for (std::size_t i = 0; i < 32; ++i) {
    // Twice the value, as the levels are doubled.
    const float scaled = std::ldexp(x[i], 1 - exponent);
    SetField(block.codes, Nibble16(i), 4, NearestLevel(scaled, kMXFP4Levels));
  }
}

template <typename Block, std::size_t kElements>
void PackRow(std::span<const float> values, std::span<std::byte> bytes) {
  for (std::size_t b = 0; b < values.size() / kElements; ++b) {
    Block block{};
    Pack(values.subspan(b * kElements).template first<kElements>(), block);
    std::memcpy(bytes.data() + b * sizeof(Block), &block, sizeof(Block));
  }
}

template <std::uint16_t (*kFromFloat)(float)>
void NarrowRow(std::span<const float> values, std::span<std::byte> bytes) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits = kFromFloat(values[i]);
    std::memcpy(bytes.data() + i * sizeof(bits), &bits, sizeof(bits));
  }
}

base::Status CheckRange(DType dtype, std::span<const float> values) {
  if (!IsQuantised(dtype)) return {};
  constexpr float kLargestHalf = 65504.0F;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]) ||
        (dtype != DType::kMXFP4 && std::abs(values[i]) > kLargestHalf)) {
      return base::Fail(
          base::ErrorCode::kInvalidArgument,
          "element {} is {}, which {} cannot hold; give finite values of at most {} in "
          "magnitude",
          i, values[i], Name(dtype), kLargestHalf);
    }
  }
  return {};
}

}  // namespace

base::Status Quantise(DType dtype, std::span<const float> values, std::span<std::byte> bytes) {
  SWITCHYARD_TRY(const std::uint64_t needed,
                 RowBytes(dtype, static_cast<std::int64_t>(values.size())));
  if (bytes.size() != needed) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "{} elements of {} occupy {} bytes but {} were given", values.size(),
                      Name(dtype), needed, bytes.size());
  }
  if (values.empty()) return {};
  SWITCHYARD_RETURN_IF_ERROR(CheckRange(dtype, values));
  switch (dtype) {
    case DType::kF32:
      std::memcpy(bytes.data(), values.data(), bytes.size());
      return {};
    case DType::kF16:
      NarrowRow<FloatToF16>(values, bytes);
      return {};
    case DType::kBF16:
      NarrowRow<FloatToBF16>(values, bytes);
      return {};
    case DType::kQ4_0:
      PackRow<BlockQ4_0, 32>(values, bytes);
      return {};
    case DType::kQ4_1:
      PackRow<BlockQ4_1, 32>(values, bytes);
      return {};
    case DType::kQ5_0:
      PackRow<BlockQ5_0, 32>(values, bytes);
      return {};
    case DType::kQ5_1:
      PackRow<BlockQ5_1, 32>(values, bytes);
      return {};
    case DType::kQ8_0:
      PackRow<BlockQ8_0, 32>(values, bytes);
      return {};
    case DType::kQ2_K:
      PackRow<BlockQ2_K, 256>(values, bytes);
      return {};
    case DType::kQ3_K:
      PackRow<BlockQ3_K, 256>(values, bytes);
      return {};
    case DType::kQ4_K:
      PackRow<BlockQ4_K, 256>(values, bytes);
      return {};
    case DType::kQ5_K:
      PackRow<BlockQ5_K, 256>(values, bytes);
      return {};
    case DType::kQ6_K:
      PackRow<BlockQ6_K, 256>(values, bytes);
      return {};
    case DType::kIQ4_NL:
      PackRow<BlockIQ4_NL, 32>(values, bytes);
      return {};
    case DType::kIQ4_XS:
      PackRow<BlockIQ4_XS, 256>(values, bytes);
      return {};
    case DType::kMXFP4:
      PackRow<BlockMXFP4, 32>(values, bytes);
      return {};
    case DType::kI32:
    case DType::kI64:
    case DType::kI8:
      break;
  }
  return base::Fail(base::ErrorCode::kInvalidArgument, "{} is no type of weights", Name(dtype));
}

}  // namespace switchyard::tensor
