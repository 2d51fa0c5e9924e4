// Operations on each element alone. GELU as in Hendrycks and Gimpel 2016 (arXiv 1606.08415), exact
// and with tanh; SiLU is x times its own sigmoid.
#include <cmath>
#include <cstring>
#include <numbers>

#include "ops/reference/operations.h"
#include "ops/tensor_span.h"

namespace switchyard::ops::reference {
namespace {

double Activate(sy_activation activation, double x) {
  switch (activation) {
    case SY_ACTIVATION_GELU_TANH: {
      const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return x / (1 + std::exp(-2 * inner));  // (1 + tanh(a)) / 2, which would cancel
    }
    case SY_ACTIVATION_GELU_ERF:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    default:
      return x / (1 + std::exp(-x));
  }
}

}  // namespace

// y = activation(gate) * up
base::Status GatedActivation(const Call& call) {
  for (std::int64_t row = 0; row < RowCount(*call.inputs[0].tensor); ++row) {
    std::vector<float> gate = LoadRow(call.inputs[0], row);
    const std::vector<float> up = LoadRow(call.inputs[1], row);
    for (std::size_t i = 0; i < gate.size(); ++i) {
      gate[i] = static_cast<float>(Activate(call.op.activation, gate[i]) * up[i]);
    }
    StoreRow(call.outputs[0], row, gate);
  }
  return {};
}

// y = a + b
base::Status Add(const Call& call) {
  for (std::int64_t row = 0; row < RowCount(*call.inputs[0].tensor); ++row) {
    std::vector<float> a = LoadRow(call.inputs[0], row);
    const std::vector<float> b = LoadRow(call.inputs[1], row);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    StoreRow(call.outputs[0], row, a);
  }
  return {};
}

// y = scale * x, or softcap * tanh(scale * x / softcap)
base::Status Scale(const Call& call) {
  const double cap = call.op.softcap;
  for (std::int64_t row = 0; row < RowCount(*call.inputs[0].tensor); ++row) {
    std::vector<float> values = LoadRow(call.inputs[0], row);
    for (float& value : values) {
      const double scaled = static_cast<double>(call.op.scale) * value;
      value = static_cast<float>(cap > 0 ? cap * std::tanh(scaled / cap) : scaled);
    }
    StoreRow(call.outputs[0], row, values);
  }
  return {};
}

base::Status Copy(const Call& call) {
  const Operand& x = call.inputs[0];
  const Operand& y = call.outputs[0];
  for (std::int64_t row = 0; row < RowCount(*x.tensor); ++row) {
    if (x.tensor->dtype == y.tensor->dtype) {  // bit for bit, integers too
      std::memcpy(RowAddress(y, row), RowAddress(x, row), RowBytes(*x.tensor));
    } else {
      StoreRow(y, row, LoadRow(x, row));
    }
  }
  return {};
}

}  // namespace switchyard::ops::reference
