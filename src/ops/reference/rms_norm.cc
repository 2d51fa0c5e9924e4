// Root mean square layer normalisation (Zhang and Sennrich 2019, arXiv 1910.07467, equation 4).
#include <cmath>

#include "ops/reference/operations.h"
#include "ops/tensor_span.h"

namespace switchyard::ops::reference {

base::Status RmsNorm(const Call& call) {
  const Operand& x = call.inputs[0];                        // [..., D]
  const std::vector<float> w = LoadRow(call.inputs[1], 0);  // [D]
  const Operand& y = call.outputs[0];                       // like x
  for (std::int64_t row = 0; row < RowCount(*x.tensor); ++row) {
    std::vector<float> values = LoadRow(x, row);
    double squares = 0;
    for (const float value : values) squares += static_cast<double>(value) * value;
    const double mean = squares / static_cast<double>(values.size());
    const double root = std::sqrt(mean + static_cast<double>(call.op.eps));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(values[i] / root * w[i]);
    }
    StoreRow(y, row, values);
  }
  return {};
}

}  // namespace switchyard::ops::reference
