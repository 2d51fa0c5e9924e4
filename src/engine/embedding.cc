#include "engine/embedding.h"

#include <algorithm>
#include <cmath>

namespace switchyard::engine {

void PooledStates::Add(std::span<const float> rows, std::int64_t width) {
  const auto size = static_cast<std::size_t>(width);
  if (!needs_all() || states_.empty()) states_.assign(size, 0.0F);
  if (!needs_all()) rows = rows.last(size);
  for (std::size_t i = 0; i < rows.size(); ++i) states_[i % size] += rows[i];
}

base::Status PooledStates::Normalise() {
  double squares = 0;
  for (const float value : states_)
    squares += static_cast<double>(value) * static_cast<double>(value);
  const double length = std::sqrt(squares);
  if (!std::isfinite(length) || length == 0.0) {
    return base::Fail(base::ErrorCode::kInternal,
                      "the hidden states of the text have the length {}: the weights or the chip "
                      "are broken; run the chip's conformance suite",
                      length);
  }
  for (float& value : states_) value = static_cast<float>(static_cast<double>(value) / length);
  return {};
}

}  // namespace switchyard::engine
