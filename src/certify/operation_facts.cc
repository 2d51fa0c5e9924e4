#include "certify/operation_facts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "ops/op_rules.h"

namespace switchyard::certify {
namespace {

// The input that is kept between runs: a weight, or KV pages.
std::optional<std::uint32_t> StoredInput(const ops::OpList& list, const sy_op& op) {
  if (op.kind == SY_OP_ATTENTION) return op.inputs[1];
  if (op.kind == SY_OP_KV_STORE) return op.inputs[3];
  for (const std::uint32_t input : op.inputs) {
    if (input != SY_NO_TENSOR && list.tensors()[input].storage == SY_STORAGE_WEIGHT) return input;
  }
  return std::nullopt;
}

const std::string* WeightName(const ops::OpList& list, const sy_op& op,
                              const device::WeightTable& weights) {
  const auto stored = StoredInput(list, op);
  if (!stored || list.weight_index(*stored) == ops::kNotAWeight) return nullptr;
  return &weights.at(list.weight_index(*stored)).name;
}

std::string Dims(const sy_tensor& tensor) {
  return fmt::format("[{}]", fmt::join(std::vector(tensor.dims, tensor.dims + tensor.rank), ", "));
}

double Elements(const sy_tensor& tensor) {
  double count = 1;
  for (std::uint32_t i = 0; i < tensor.rank; ++i) count *= static_cast<double>(tensor.dims[i]);
  return count;
}

double Bytes(const sy_tensor& tensor) {
  const tensor::DTypeTraits& traits = tensor::Traits(static_cast<tensor::DType>(tensor.dtype));
  return Elements(tensor) / static_cast<double>(traits.block_elements) *
         static_cast<double>(traits.block_bytes);
}

// Products of quantised weights run at best on int8 units.
std::string_view ArithmeticOf(tensor::DType weight) {
  return tensor::IsQuantised(weight) ? "i8" : tensor::Name(weight);
}

void CountWork(const ops::OpList& list, const sy_op& op, double depth, OperationFacts& facts) {
  const auto tensor = [&](std::uint32_t index) -> const sy_tensor& {
    return list.tensors()[index];
  };
  const auto dim = [&](std::size_t input, std::size_t index) {
    return static_cast<double>(tensor(op.inputs[input]).dims[index]);
  };
  facts.arithmetic = "f32";
  for (const std::uint32_t output : op.outputs) {
    if (output != SY_NO_TENSOR) facts.bytes += Bytes(tensor(output));
  }
  const double activations = Bytes(tensor(op.inputs[0]));
  switch (op.kind) {
    case SY_OP_EMBEDDING:
      // As much is read as written, but for the type.
      facts.bytes += dim(1, 0) * Bytes(tensor(op.inputs[0])) / dim(0, 0);
      return;
    case SY_OP_LINEAR:
    case SY_OP_BATCHED_LINEAR:
    case SY_OP_GROUPED_LINEAR: {
      const sy_tensor& weight = tensor(op.inputs[1]);
      const double results = Elements(tensor(op.outputs[0]));
      facts.flop = 2 * results * static_cast<double>(weight.dims[weight.rank - 1]);
      facts.arithmetic = ArithmeticOf(facts.stored);
      double share = 1;  // of the stack of experts that is touched
      if (op.kind == SY_OP_GROUPED_LINEAR) {
        share = std::min(1.0, dim(2, 0) * dim(2, 1) / static_cast<double>(weight.dims[0]));
      }
      facts.bytes += activations + share * Bytes(weight);
      return;
    }
    case SY_OP_ATTENTION: {
      const double queries = dim(0, 0);
      const double heads = dim(0, 1);
      const double widths = dim(1, 3) + dim(2, 3);
      const double seen = op.window > 0 ? std::min(depth, static_cast<double>(op.window)) : depth;
      facts.flop = 2 * queries * heads * seen * widths;
      // Each sequence's keys and values once.
      const double sequences = dim(5, 0);
      const double longest = seen + queries / sequences / 2;
      const double page_row = Bytes(tensor(op.inputs[1])) / (dim(1, 0) * dim(1, 1)) +
                              Bytes(tensor(op.inputs[2])) / (dim(2, 0) * dim(2, 1));
      facts.bytes += activations + sequences * longest * page_row;
      return;
    }
    case SY_OP_KV_STORE:
      facts.bytes += 2 * (Bytes(tensor(op.inputs[0])) + Bytes(tensor(op.inputs[1])));
      return;
    default:
      for (const std::uint32_t input : op.inputs) {
        if (input != SY_NO_TENSOR) facts.bytes += Bytes(tensor(input));
      }
  }
}

}  // namespace

std::vector<std::int64_t> LayersOf(const ops::OpList& list, const device::WeightTable& weights) {
  constexpr std::string_view kPrefix = "blk.";
  std::vector<std::int64_t> layers;
  std::int64_t layer = -1;
  for (const sy_op& op : list.ops()) {
    const std::string* name = WeightName(list, op, weights);
    if (name != nullptr && name->starts_with(kPrefix)) {
      std::from_chars(name->data() + kPrefix.size(), name->data() + name->size(), layer);
    } else if (name != nullptr && op.kind != SY_OP_ROPE) {
      layer = -1;  // the embedding, the last norm, the output
    }
    layers.push_back(layer);
  }
  return layers;
}

OperationFacts FactsOf(const ops::OpList& list, std::uint32_t op_index,
                       const device::WeightTable& weights, double depth) {
  const sy_op& op = list.ops()[op_index];
  OperationFacts facts;
  facts.operation = ops::OpName(op.kind);
  if (const std::string* name = WeightName(list, op, weights)) facts.weight = *name;
  const bool is_lookup = op.kind == SY_OP_EMBEDDING;
  const sy_tensor& first = list.tensors()[op.inputs[is_lookup ? 1 : 0]];
  facts.shape = Dims(first);
  const std::uint32_t result = op.outputs[0] == SY_NO_TENSOR ? op.inputs[0] : op.outputs[0];
  facts.activation = static_cast<tensor::DType>(list.tensors()[result].dtype);
  if (const auto stored = StoredInput(list, op)) {
    const sy_tensor& tensor = list.tensors()[*stored];
    facts.stored = static_cast<tensor::DType>(tensor.dtype);
    facts.weight_type = tensor::Name(facts.stored);
    facts.shape += " x " + Dims(tensor);
  }
  CountWork(list, op, depth, facts);
  return facts;
}

}  // namespace switchyard::certify
