#include "planted_faults.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "ops/op_rules.h"
#include "ops/tensor_span.h"
#include "tensor/half.h"

namespace switchyard::chips {
namespace {

using base::Status;
using ops::reference::Call;
using ops::reference::LoadRow;
using ops::reference::Operand;
using ops::reference::StoreRow;

// Every row of the output, changed by `change(row number, values)` after the true computation.
template <typename Change>
Status RunThenChange(const Call& call, Change change) {
  SWITCHYARD_RETURN_IF_ERROR(ops::reference::Run(call));
  const Operand& y = call.outputs[0];
  for (std::int64_t row = 0; row < ops::RowCount(*y.tensor); ++row) {
    std::vector<float> values = LoadRow(y, row);
    change(row, values);
    StoreRow(y, row, values);
  }
  return {};
}

// A column counter of 16 bits: columns from 65,535 on are those from 0 on.
Status WideLinear(const Call& call) {
  constexpr std::size_t kColumns = 65535;
  const bool strikes = call.op.kind == SY_OP_LINEAR &&
                       call.outputs[0].row_length() > static_cast<std::int64_t>(kColumns);
  if (!strikes) return ops::reference::Run(call);
  return RunThenChange(call, [](std::int64_t, std::vector<float>& y) {
    for (std::size_t n = kColumns; n < y.size(); ++n) y[n] = y[n - kColumns];
  });
}

Status RopeHalves(const Call& call) {
  if (call.op.kind != SY_OP_ROPE) return ops::reference::Run(call);
  const auto half = call.inputs[2].row_length();
  return RunThenChange(call, [half](std::int64_t, std::vector<float>& head) {
    std::swap_ranges(head.begin(), head.begin() + half, head.begin() + half);
  });
}

Status WindowOffByOne(const Call& call) {
  Call wrong = call;
  if (wrong.op.kind == SY_OP_ATTENTION && wrong.op.window > 0) ++wrong.op.window;
  return ops::reference::Run(wrong);
}

// Each sequence reads the pages of the one before it.
Status CrossedPages(const Call& call) {
  if (call.op.kind != SY_OP_ATTENTION || call.inputs[3].dim(0) < 2) {
    return ops::reference::Run(call);
  }
  const Operand& table = call.inputs[3];
  const auto row_bytes = static_cast<std::size_t>(table.tensor->strides[0]);
  std::vector<std::byte> rows(row_bytes * static_cast<std::size_t>(table.dim(0)));
  std::memcpy(rows.data(), table.bytes, ops::SpanBytes(*table.tensor));
  std::ranges::rotate(rows, rows.end() - static_cast<std::ptrdiff_t>(row_bytes));
  Call wrong = call;
  wrong.inputs[3].bytes = rows.data();
  return ops::reference::Run(wrong);
}

float ToBF16(float value) { return tensor::BF16ToFloat(tensor::FloatToBF16(value)); }

Status BF16Accumulation(const Call& call) {
  if (call.op.kind != SY_OP_LINEAR) return ops::reference::Run(call);
  const std::vector<float> bias =
      call.inputs[2].present() ? LoadRow(call.inputs[2], 0) : std::vector<float>();
  std::vector<std::vector<float>> x;
  for (std::int64_t t = 0; t < call.inputs[0].dim(0); ++t) x.push_back(LoadRow(call.inputs[0], t));
  std::vector<std::vector<float>> y(x.size());
  for (std::int64_t n = 0; n < call.outputs[0].row_length(); ++n) {
    const std::vector<float> w = LoadRow(call.inputs[1], n);
    for (std::size_t t = 0; t < x.size(); ++t) {
      float sum = bias.empty() ? 0.0F : bias[static_cast<std::size_t>(n)];
      for (std::size_t k = 0; k < w.size(); ++k) sum = ToBF16(sum + x[t][k] * w[k]);
      y[t].push_back(sum);
    }
  }
  for (std::size_t t = 0; t < y.size(); ++t) {
    StoreRow(call.outputs[0], static_cast<std::int64_t>(t), y[t]);
  }
  return {};
}

Status UnscaledSoftmax(const Call& call) {
  Call wrong = call;
  if (wrong.op.kind == SY_OP_ATTENTION) wrong.op.scale = 1;
  return ops::reference::Run(wrong);
}

// One decimal place off, as between 1e-6 and 1e-5.
Status NormEpsilon(const Call& call) {
  Call wrong = call;
  if (wrong.op.kind == SY_OP_RMS_NORM) wrong.op.eps *= 10;
  return ops::reference::Run(wrong);
}

// Noise of one part in a thousand, the same in each run.
Status Noise(const Call& call) {
  if (call.op.kind != SY_OP_LINEAR) return ops::reference::Run(call);
  return RunThenChange(call, [](std::int64_t, std::vector<float>& y) {
    for (float& value : y) {
      const std::uint32_t mixed = std::bit_cast<std::uint32_t>(value) * 0x9e3779b1U;
      value *= (mixed >> 31) != 0 ? 1.001F : 0.999F;
    }
  });
}

// Rows beyond the 512 that a first pass takes are those of the first pass.
Status LargeBatches(const Call& call) {
  constexpr std::int64_t kRows = 512;
  if (call.op.kind != SY_OP_LINEAR || call.inputs[0].dim(0) <= kRows) {
    return ops::reference::Run(call);
  }
  const Operand& y = call.outputs[0];
  SWITCHYARD_RETURN_IF_ERROR(ops::reference::Run(call));
  for (std::int64_t t = kRows; t < y.dim(0); ++t) StoreRow(y, t, LoadRow(y, t - kRows));
  return {};
}

// No fault: as chips do that add in another order where there are more rows, only coarser.
Status BatchVariant(const Call& call) {
  if (call.op.kind != SY_OP_LINEAR) return ops::reference::Run(call);
  const auto rows = static_cast<std::uint32_t>(ops::RowCount(*call.outputs[0].tensor));
  return RunThenChange(call, [rows](std::int64_t, std::vector<float>& y) {
    for (float& value : y) {
      const std::uint32_t mixed =
          (std::bit_cast<std::uint32_t>(value) ^ (rows * 0x85ebca6bU)) * 0x9e3779b1U;
      value *= (mixed >> 31) != 0 ? 1.02F : 0.98F;
    }
  });
}

// No fault: products whose activations are rounded to f16, as an honest chip may compute them.
Status F16Operands(const Call& call) {
  if (!ops::IsProduct(call.op.kind) || call.inputs[0].tensor->dtype != SY_F32) {
    return ops::reference::Run(call);
  }
  std::vector<std::byte> rounded(ops::SpanBytes(*call.inputs[0].tensor));
  Call other = call;
  other.inputs[0].bytes = rounded.data();
  for (std::int64_t row = 0; row < ops::RowCount(*call.inputs[0].tensor); ++row) {
    std::vector<float> values = LoadRow(call.inputs[0], row);
    for (float& value : values) value = tensor::F16ToFloat(tensor::FloatToF16(value));
    StoreRow(other.inputs[0], row, values);
  }
  return ops::reference::Run(other);
}

constexpr std::array<PlantedFault, 11> kFaults = {{
    {"wide_linear", WideLinear},
    {"rope_halves", RopeHalves},
    {"window_off_by_one", WindowOffByOne},
    {"crossed_pages", CrossedPages},
    {"bf16_accumulation", BF16Accumulation},
    {"unscaled_softmax", UnscaledSoftmax},
    {"norm_epsilon", NormEpsilon},
    {"noise", Noise},
    {"large_batches", LargeBatches, true},
    {"batch_variant", BatchVariant, true},
    {"f16_operands", F16Operands},
}};

}  // namespace

std::span<const PlantedFault> PlantedFaults() { return kFaults; }

const PlantedFault* FindPlantedFault(std::string_view name) {
  const auto found = std::ranges::find(kFaults, name, &PlantedFault::name);
  return found == kFaults.end() ? nullptr : &*found;
}

}  // namespace switchyard::chips
