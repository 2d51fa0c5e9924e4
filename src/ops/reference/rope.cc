// Rotary position embedding (Su et al. 2021, arXiv 2104.09864, equation 34), in the two layouts of
// pairs that models use.
#include <cmath>

#include "ops/reference/operations.h"

namespace switchyard::ops::reference {

base::Status Rope(const Call& call) {
  const Operand& x = call.inputs[0];                               // [T, H, d]
  const Operand& positions = call.inputs[1];                       // [T]
  const std::vector<float> inv_freq = LoadRow(call.inputs[2], 0);  // [r / 2]
  const Operand& y = call.outputs[0];                              // like x, may be the same memory
  const std::size_t pairs = inv_freq.size();
  for (std::int64_t t = 0; t < x.dim(0); ++t) {
    const auto position = static_cast<double>(LoadIndex(positions, t));
    for (std::int64_t h = 0; h < x.dim(1); ++h) {
      const std::int64_t row = t * x.dim(1) + h;
      std::vector<float> head = LoadRow(x, row);
      for (std::size_t i = 0; i < pairs; ++i) {
        const double angle = position * static_cast<double>(inv_freq[i]);
        const double cosine = std::cos(angle) * static_cast<double>(call.op.scale);
        const double sine = std::sin(angle) * static_cast<double>(call.op.scale);
        float& first = call.op.rope_interleaved != 0 ? head[2 * i] : head[i];
        float& second = call.op.rope_interleaved != 0 ? head[2 * i + 1] : head[i + pairs];
        const double a = first;
        const double b = second;
        first = static_cast<float>(a * cosine - b * sine);
        second = static_cast<float>(b * cosine + a * sine);
      }
      StoreRow(y, row, head);
    }
  }
  return {};
}

}  // namespace switchyard::ops::reference
