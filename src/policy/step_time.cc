#include "policy/step_time.h"

#include <algorithm>
#include <cmath>

namespace switchyard::policy {
namespace {

// About the last 50 steps count.
constexpr double kKept = 0.98;
constexpr double kEnoughSteps = 8;
constexpr double kTimesDecoding = 4;  // how much slower answers may get while prompts are read

}  // namespace

void StepTime::Observe(std::int64_t tokens, double seconds) {
  const auto x = static_cast<double>(tokens);
  weight_ = kKept * weight_ + 1;
  x_ = kKept * x_ + x;
  y_ = kKept * y_ + seconds;
  xx_ = kKept * xx_ + x * x;
  xy_ = kKept * xy_ + x * seconds;
}

std::optional<StepTime::Line> StepTime::Fit() const {
  if (weight_ < kEnoughSteps) return std::nullopt;
  const double spread = weight_ * xx_ - x_ * x_;  // >= 0
  const double slope = (weight_ * xy_ - x_ * y_) / spread;
  // Steps that were all alike, or noise, say nothing of a token's time.
  if (!(spread > 1e-6 * weight_ * xx_) || !(slope > 0)) return std::nullopt;
  return Line{std::max((y_ - slope * x_) / weight_, 0.0), slope};
}

std::int64_t StepTime::TokensWithin(double seconds, std::int64_t unknown) const {
  const auto line = Fit();
  if (!line) return unknown;
  const double tokens = std::floor((seconds - line->base_s) / line->token_s);
  return static_cast<std::int64_t>(std::clamp(tokens, 1.0, static_cast<double>(unknown)));
}

std::int64_t StepTime::PromptTokensBeside(std::int64_t decoding, double seconds,
                                          std::int64_t most) const {
  const auto line = Fit();
  if (!line) return most;
  const double decoding_s = line->base_s + line->token_s * static_cast<double>(decoding);
  // As many as decode fit into twice the time already, whatever rounding makes of it.
  const std::int64_t fit =
      TokensWithin(std::max(seconds, kTimesDecoding * decoding_s), most + decoding) - decoding;
  return std::min(most, std::max({std::int64_t{1}, decoding, fit}));
}

}  // namespace switchyard::policy
