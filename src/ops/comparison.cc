#include "ops/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tensor/block_formats.h"

namespace switchyard::ops {
namespace {

using tensor::DType;

std::vector<float> Decode(DType dtype, std::span<const std::byte> bytes) {
  const auto width = static_cast<std::size_t>(tensor::Traits(dtype).block_bytes);
  std::vector<float> values(bytes.size() / width);
  SWITCHYARD_CHECK(tensor::Dequantise(dtype, bytes, values).has_value());
  return values;
}

bool IsFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

// Values that have no distance: both NaN, or the same infinity.
bool IsSameNonFinite(float a, float b) { return std::isnan(a) ? std::isnan(b) : a == b; }

Difference CompareBits(DType dtype, std::span<const std::byte> actual,
                       std::span<const std::byte> truth) {
  const auto width = static_cast<std::size_t>(tensor::Traits(dtype).block_bytes);
  for (std::size_t at = 0; at < truth.size(); at += width) {
    if (std::memcmp(actual.data() + at, truth.data() + at, width) == 0) continue;
    if (!IsFloat(dtype)) {
      std::int32_t is = 0;
      std::int32_t want = 0;
      std::memcpy(&is, actual.data() + at, std::min(width, sizeof is));
      std::memcpy(&want, truth.data() + at, std::min(width, sizeof want));
      return {INFINITY, INFINITY, INFINITY,
              fmt::format("element {} is {}, not {}", at / width, is, want)};
    }
    const float is = Decode(dtype, actual.subspan(at, width))[0];
    const float want = Decode(dtype, truth.subspan(at, width))[0];
    if (std::isnan(is) && std::isnan(want)) continue;  // any NaN will do
    return {INFINITY, INFINITY, INFINITY,
            fmt::format("element {} is {}, not {} exactly", at / width, is, want)};
  }
  return {};
}

double RootMeanSquare(std::span<const float> values) {
  double squares = 0;
  std::size_t finite = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    squares += static_cast<double>(value) * static_cast<double>(value);
    ++finite;
  }
  return finite > 0 ? std::sqrt(squares / static_cast<double>(finite)) : 0;
}

}  // namespace

Difference Compare(DType dtype, std::span<const std::byte> actual, std::span<const std::byte> truth,
                   Tolerance tolerance, Scales scales) {
  if (!IsFloat(dtype) || tolerance.is_exact()) return CompareBits(dtype, actual, truth);
  const std::vector<float> is = Decode(dtype, actual);
  const std::vector<float> want = Decode(dtype, truth);
  // Below the smallest normal f16 everything is as good as zero.
  const double scale = std::max({RootMeanSquare(want), scales.expected_rms, 0x1p-14});
  const std::size_t row = scales.row_elements == 0 ? want.size() : scales.row_elements;
  Difference difference;
  double row_scale = scale;
  double squared_errors = 0;
  double worst_share = 0;
  double worst_scale = scale;
  std::size_t worst = 0;
  std::size_t finite = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (i % row == 0 && row < want.size()) {
      row_scale = std::max(scale, RootMeanSquare(std::span(want).subspan(i, row)));
    }
    if (!std::isfinite(want[i]) || !std::isfinite(is[i])) {
      if (IsSameNonFinite(is[i], want[i])) continue;
      difference.complaint = fmt::format("element {} is {}, not {}", i, is[i], want[i]);
      difference.max_error = INFINITY;
      difference.share = INFINITY;
      return difference;
    }
    ++finite;
    const double error = std::abs(static_cast<double>(is[i]) - static_cast<double>(want[i]));
    squared_errors += error * error;
    difference.max_error = std::max(difference.max_error, error / row_scale);
    const double allowed =
        tolerance.max_error * row_scale + LastPlace(dtype) * std::abs(static_cast<double>(want[i]));
    if (error <= worst_share * allowed) continue;
    worst_share = error / allowed;
    worst_scale = row_scale;
    worst = i;
  }
  const std::size_t count = std::max<std::size_t>(finite, 1);
  difference.nmse = squared_errors / (static_cast<double>(count) * scale * scale);
  const double nmse_bound = NmseBound(tolerance, count);
  difference.share = std::max(worst_share, difference.nmse / nmse_bound);
  if (worst_share > 1) {
    difference.complaint =
        fmt::format("element {} is {}, not {}: {:.3g} times what may differ at a scale of {:.3g}",
                    worst, is[worst], want[worst], worst_share, worst_scale);
  } else if (difference.nmse > nmse_bound) {
    difference.complaint = fmt::format("NMSE {:.3g} of {} elements is above {:.3g}",
                                       difference.nmse, count, nmse_bound);
  }
  return difference;
}

}  // namespace switchyard::ops
