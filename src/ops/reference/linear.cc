// Products with a weight matrix, or with one of several: chosen by expert or by head.
#include <algorithm>

#include "ops/reference/operations.h"
#include "ops/tensor_span.h"

namespace switchyard::ops::reference {
namespace {

// In double, in eight sums side by side: any compiler turns that into vector code without being
// allowed to reorder sums. By pointer, as no sanitized build inlines a span's checks here.
double Dot(std::span<const float> a, std::span<const float> b) {
  constexpr std::size_t kSums = 8;
  double sums[kSums] = {};
  const float* const x = a.data();
  const float* const y = b.data();
  const std::size_t whole = a.size() / kSums * kSums;
  for (std::size_t i = 0; i < whole; i += kSums) {
    for (std::size_t j = 0; j < kSums; ++j) {
      sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(y[i + j]);
    }
  }
  for (std::size_t i = whole; i < a.size(); ++i) {
    sums[0] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// The rows of an operand that one matrix multiplies, in f32: rows[i] is the number of the operand's
// row that values[i * length] begins.
struct RowSet {
  std::vector<std::int64_t> rows;
  std::vector<float> values;
};

void Append(RowSet& set, const Operand& x, std::int64_t x_row, std::int64_t y_row) {
  const std::vector<float> values = LoadRow(x, x_row);
  set.values.insert(set.values.end(), values.begin(), values.end());
  set.rows.push_back(y_row);
}

// y[row, n] = w[first_row + n] . x_row + bias[n] for each row of `x`. Each row of the weight is
// dequantised once.
void Multiply(const RowSet& x, const Operand& w, std::int64_t first_row,
              std::span<const float> bias, const Operand& y) {
  const auto inner = static_cast<std::size_t>(w.row_length());
  const auto outer = static_cast<std::size_t>(y.row_length());
  std::vector<float> products(x.rows.size() * outer);
  std::vector<float> weight_row(inner);
  for (std::size_t n = 0; n < outer; ++n) {
    LoadRow(w, first_row + static_cast<std::int64_t>(n), weight_row);
    const double added = bias.empty() ? 0.0 : static_cast<double>(bias[n]);
    for (std::size_t i = 0; i < x.rows.size(); ++i) {
      const std::span x_row = std::span(x.values).subspan(i * inner, inner);
      products[i * outer + n] = static_cast<float>(Dot(x_row, weight_row) + added);
    }
  }
  for (std::size_t i = 0; i < x.rows.size(); ++i) {
    StoreRow(y, x.rows[i], std::span(products).subspan(i * outer, outer));
  }
}

}  // namespace

base::Status Linear(const Call& call) {
  const Operand& x = call.inputs[0];     // [T, K]
  const Operand& w = call.inputs[1];     // [N, K]
  const Operand& bias = call.inputs[2];  // [N] or absent
  RowSet rows;
  for (std::int64_t t = 0; t < x.dim(0); ++t) Append(rows, x, t, t);
  Multiply(rows, w, 0, bias.present() ? LoadRow(bias, 0) : std::vector<float>(), call.outputs[0]);
  return {};
}

base::Status GroupedLinear(const Call& call) {
  const Operand& x = call.inputs[0];    // [T, K] or [T, k, K]
  const Operand& w = call.inputs[1];    // [E, N, K]
  const Operand& ids = call.inputs[2];  // [T, k]
  const Operand& y = call.outputs[0];   // [T, k, N]
  const std::int64_t chosen = ids.dim(1);
  std::vector<RowSet> by_expert(static_cast<std::size_t>(w.dim(0)));
  for (std::int64_t t = 0; t < ids.dim(0); ++t) {
    for (std::int64_t j = 0; j < chosen; ++j) {
      const std::int32_t expert = LoadIndex(ids, t, j);
      if (expert < 0 || expert >= w.dim(0)) {
        return base::Fail(base::ErrorCode::kInvalidArgument,
                          "grouped_linear: ids[{}, {}] is {}, but there are {} experts", t, j,
                          expert, w.dim(0));
      }
      const std::int64_t y_row = t * chosen + j;
      Append(by_expert[static_cast<std::size_t>(expert)], x, x.tensor->rank == 2 ? t : y_row,
             y_row);
    }
  }
  for (std::size_t expert = 0; expert < by_expert.size(); ++expert) {
    if (by_expert[expert].rows.empty()) continue;
    Multiply(by_expert[expert], w, static_cast<std::int64_t>(expert) * w.dim(1), {}, y);
  }
  return {};
}

base::Status BatchedLinear(const Call& call) {
  const Operand& x = call.inputs[0];   // [T, H, K]
  const Operand& w = call.inputs[1];   // [H, N, K]
  const Operand& y = call.outputs[0];  // [T, H, N]
  for (std::int64_t h = 0; h < w.dim(0); ++h) {
    RowSet rows;
    for (std::int64_t t = 0; t < x.dim(0); ++t) {
      Append(rows, x, t * x.dim(1) + h, t * x.dim(1) + h);
    }
    Multiply(rows, w, h * w.dim(1), {}, y);
  }
  return {};
}

}  // namespace switchyard::ops::reference
