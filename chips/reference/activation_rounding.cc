#include "activation_rounding.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "ops/op_rules.h"
#include "ops/tensor_span.h"
#include "tensor/block_formats.h"
#include "tensor/half.h"

namespace switchyard::chips {
namespace {

using ops::reference::Call;
using ops::reference::Operand;

constexpr std::size_t kSmallBlock = 32;
constexpr std::size_t kLargeBlock = 256;

// A tensor of f32 rows in memory of its own.
struct DenseRows {
  explicit DenseRows(const Operand& from)
      : tensor(*from.tensor), values(ops::reference::LoadRows(from)) {
    tensor.dtype = SY_F32;
    std::int64_t stride = sizeof(float) * tensor.dims[tensor.rank - 1];
    for (std::uint32_t i = tensor.rank - 1; i-- > 0;) {
      tensor.strides[i] = stride;
      stride *= tensor.dims[i];
    }
  }

  Operand operand() { return {&tensor, reinterpret_cast<std::byte*>(values.data())}; }

  sy_tensor tensor;
  std::vector<float> values;
};

float RoundToF16(float value) { return tensor::F16ToFloat(tensor::FloatToF16(value)); }

// The error of the block's rounded sum.
float RoundSmallBlock(std::span<float> block) {
  float largest = 0;
  for (const float x : block) largest = std::max(largest, std::abs(x));
  const float scale = largest / 127;
  const float inverse = largest == 0 ? 0 : 127 / largest;
  const float kept_scale = RoundToF16(scale);
  float codes = 0;
  for (float& x : block) {
    const float code = std::nearbyint(x * inverse);
    codes += code;
    x = kept_scale * code;
  }
  return RoundToF16(scale * codes) - kept_scale * codes;
}

void RoundLargeBlock(std::span<float> block) {
  const float largest = *std::ranges::max_element(block, {}, [](float x) { return std::abs(x); });
  if (largest == 0) return;
  // The largest becomes -127, whatever its sign.
  const float inverse = -127 / largest;
  const float scale = 1 / inverse;
  for (float& x : block) x = scale * std::min(127.0F, std::nearbyint(inverse * x));
}

// The number of the activations' row and of the matrix behind row `y_row` of the result.
struct Source {
  std::int64_t x_row;
  std::int64_t matrix;
};

Source SourceOf(const Call& call, std::int64_t y_row) {
  const Operand& x = call.inputs[0];
  switch (call.op.kind) {
    case SY_OP_GROUPED_LINEAR: {
      const Operand& ids = call.inputs[2];
      const std::int64_t chosen = ids.dim(1);
      const std::int64_t token = y_row / chosen;
      return {x.tensor->rank == 2 ? token : y_row,
              ops::reference::LoadIndex(ids, token, y_row % chosen)};
    }
    case SY_OP_BATCHED_LINEAR:
      return {y_row, y_row % x.dim(1)};
    default:
      return {y_row, 0};
  }
}

// Each block's minimum in a row of weights that have one: Q4_1 and Q5_1 begin alike.
float MinimumOf(const std::byte* row, std::size_t block, std::size_t block_bytes) {
  static_assert(offsetof(tensor::BlockQ4_1, minimum) == offsetof(tensor::BlockQ5_1, minimum));
  tensor::Half minimum = 0;
  std::memcpy(&minimum, row + block * block_bytes + offsetof(tensor::BlockQ4_1, minimum),
              sizeof minimum);
  return tensor::F16ToFloat(minimum);
}

// y += minimum . error over the blocks of 32, which is all that a rounded sum changes.
void AddSumErrors(const Call& call, std::span<const float> sum_errors) {
  const Operand& w = call.inputs[1];
  const Operand& y = call.outputs[0];
  const std::size_t blocks = static_cast<std::size_t>(w.row_length()) / kSmallBlock;
  const std::size_t block_bytes = ops::RowBytes(*w.tensor) / blocks;
  for (std::int64_t row = 0; row < ops::RowCount(*y.tensor); ++row) {
    const Source source = SourceOf(call, row);
    const auto errors = sum_errors.subspan(static_cast<std::size_t>(source.x_row) * blocks, blocks);
    std::vector<float> results = ops::reference::LoadRow(y, row);
    for (std::size_t n = 0; n < results.size(); ++n) {
      const std::byte* weights = ops::reference::RowAddress(
          w, source.matrix * y.row_length() + static_cast<std::int64_t>(n));
      double added = 0;
      for (std::size_t block = 0; block < blocks; ++block) {
        added += static_cast<double>(MinimumOf(weights, block, block_bytes)) *
                 static_cast<double>(errors[block]);
      }
      results[n] = static_cast<float>(static_cast<double>(results[n]) + added);
    }
    ops::reference::StoreRow(y, row, results);
  }
}

}  // namespace

ActivationType ActivationTypeFor(sy_dtype weight) {
  switch (weight) {
    case SY_F16:
      return ActivationType::kF16;
    case SY_BF16:
      return ActivationType::kBF16;
    case SY_Q4_0:
    case SY_Q5_0:
    case SY_Q8_0:
    case SY_IQ4_NL:
    case SY_MXFP4:
      return ActivationType::kQ8_0;
    case SY_Q4_1:
    case SY_Q5_1:
      return ActivationType::kQ8_1;
    case SY_Q2_K:
    case SY_Q3_K:
    case SY_Q4_K:
    case SY_Q5_K:
    case SY_Q6_K:
    case SY_IQ4_XS:
      return ActivationType::kQ8_K;
    default:
      return ActivationType::kAsGiven;
  }
}

void RoundActivations(ActivationType type, std::span<float> row, std::span<float> sum_errors) {
  switch (type) {
    case ActivationType::kAsGiven:
      return;
    case ActivationType::kF16:
      for (float& x : row) x = RoundToF16(x);
      return;
    case ActivationType::kBF16:
      for (float& x : row) x = tensor::BF16ToFloat(tensor::FloatToBF16(x));
      return;
    case ActivationType::kQ8_0:
    case ActivationType::kQ8_1:
      for (std::size_t at = 0; at < row.size(); at += kSmallBlock) {
        const float error = RoundSmallBlock(row.subspan(at, kSmallBlock));
        if (!sum_errors.empty()) sum_errors[at / kSmallBlock] = error;
      }
      return;
    case ActivationType::kQ8_K:
      for (std::size_t at = 0; at < row.size(); at += kLargeBlock) {
        RoundLargeBlock(row.subspan(at, kLargeBlock));
      }
      return;
  }
}

base::Status RunWithRoundedActivations(const Call& call) {
  const ActivationType type = ops::IsProduct(call.op.kind)
                                  ? ActivationTypeFor(call.inputs[1].tensor->dtype)
                                  : ActivationType::kAsGiven;
  if (type == ActivationType::kAsGiven) return ops::reference::Run(call);
  DenseRows x(call.inputs[0]);
  const auto length = static_cast<std::size_t>(call.inputs[0].row_length());
  std::vector<float> sum_errors(type == ActivationType::kQ8_1 ? x.values.size() / kSmallBlock : 0);
  for (std::size_t at = 0; at < x.values.size(); at += length) {
    const auto errors = sum_errors.empty()
                            ? std::span<float>()
                            : std::span(sum_errors).subspan(at / kSmallBlock, length / kSmallBlock);
    RoundActivations(type, std::span(x.values).subspan(at, length), errors);
  }
  Call rounded = call;
  rounded.inputs[0] = x.operand();
  SWITCHYARD_RETURN_IF_ERROR(ops::reference::Run(rounded));
  if (type == ActivationType::kQ8_1) AddSumErrors(rounded, sum_errors);
  return {};
}

}  // namespace switchyard::chips
