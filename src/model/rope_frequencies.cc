#include "model/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace switchyard::model {
namespace {

// Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, those between blended.
double ScaleAsLlama3(const RopeConfig& rope, double frequency) {
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  const auto context = static_cast<double>(rope.original_context);
  if (wavelength < context / rope.high_frequency_factor) return frequency;
  if (wavelength > context / rope.low_frequency_factor) return frequency / rope.factor;
  const double kept = (context / wavelength - rope.low_frequency_factor) /
                      (rope.high_frequency_factor - rope.low_frequency_factor);
  return (1.0 - kept) * frequency / rope.factor + kept * frequency;
}

// The dimension (as a real number) whose frequency makes `turns` full turns in the original
// context: arXiv:2309.00071, section 3.2, solved for the index.
double DimensionOfTurns(const RopeConfig& rope, double turns) {
  const auto context = static_cast<double>(rope.original_context);
  return static_cast<double>(rope.dims) * std::log(context / (turns * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(rope.theta));
}

// YaRN: dimensions that turn often are kept, those that turn seldom are interpolated, with a linear
// ramp between.
class YarnRamp {
 public:
  explicit YarnRamp(const RopeConfig& rope) : factor_(rope.factor) {
    first_ = DimensionOfTurns(rope, rope.beta_fast);
    last_ = DimensionOfTurns(rope, rope.beta_slow);
    if (rope.truncate) {
      first_ = std::floor(first_);
      last_ = std::ceil(last_);
    }
    first_ = std::max(first_, 0.0);
    last_ = std::min(last_, static_cast<double>(rope.dims - 1));
    if (last_ == first_) last_ += 0.001;  // no division by zero
  }

  double Scale(std::int64_t index, double frequency) const {
    const double interpolated =
        std::clamp((static_cast<double>(index) - first_) / (last_ - first_), 0.0, 1.0);
    return frequency * (1.0 - interpolated) + frequency / factor_ * interpolated;
  }

 private:
  double factor_;
  double first_;
  double last_;
};

}  // namespace

base::Result<std::vector<float>> InverseFrequencies(const RopeConfig& rope,
                                                    std::span<const float> divisors) {
  const std::int64_t count = rope.dims / 2;
  if (!divisors.empty() && std::ssize(divisors) != count) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "rope_freqs.weight has {} numbers, but {} rotary dimensions need {}",
                      divisors.size(), rope.dims, count);
  }
  const bool is_linear = rope.scaling == RopeScaling::kLinear;
  const bool is_yarn = rope.scaling == RopeScaling::kYarn;
  if (!divisors.empty() && (is_linear || is_yarn)) {
    return base::Fail(base::ErrorCode::kUnimplemented,
                      "the file has the tensor rope_freqs.weight and also rope.scaling.type '{}' "
                      "with rope.scaling.factor {}; only one of the two is supported",
                      is_linear ? "linear" : "yarn", rope.factor);
  }
  const YarnRamp yarn(rope);
  std::vector<float> frequencies;
  for (std::int64_t i = 0; i < count; ++i) {
    double frequency =
        std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(rope.dims));
    if (!divisors.empty()) {
      frequency /= static_cast<double>(divisors[static_cast<std::size_t>(i)]);
    } else if (is_linear) {
      frequency /= rope.factor;
    } else if (rope.scaling == RopeScaling::kLlama3) {
      frequency = ScaleAsLlama3(rope, frequency);
    } else if (is_yarn) {
      frequency = yarn.Scale(i, frequency);
    }
    if (!std::isfinite(frequency)) {
      return base::Fail(base::ErrorCode::kInvalidArgument,
                        "rotary frequency {} is not a finite number; the file's rope settings or "
                        "its rope_freqs.weight are damaged",
                        i);
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

}  // namespace switchyard::model
