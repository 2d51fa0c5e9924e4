#include "ops/op_list.h"

#include <algorithm>
#include <array>

namespace switchyard::ops {
namespace {

std::span<const std::int64_t> DimsOf(const sy_tensor& tensor) { return {tensor.dims, tensor.rank}; }

// Dense byte strides; a quantised row counts its blocks' bytes.
void SetDenseStrides(sy_tensor& tensor) {
  const tensor::DTypeTraits& traits = tensor::Traits(static_cast<tensor::DType>(tensor.dtype));
  std::int64_t stride = traits.block_bytes;
  for (std::uint32_t i = SY_MAX_RANK; i-- > 0;) {
    if (i >= tensor.rank) {
      tensor.dims[i] = 1;
      tensor.strides[i] = stride;
      continue;
    }
    tensor.strides[i] = stride;
    const std::int64_t count =
        i + 1 == tensor.rank ? tensor.dims[i] / traits.block_elements : tensor.dims[i];
    stride *= count;
  }
}

}  // namespace

Tensor OpList::Append(sy_storage storage, DType dtype, std::span<const std::int64_t> dims) {
  SWITCHYARD_CHECK(!dims.empty() && dims.size() <= SY_MAX_RANK);
  sy_tensor tensor{};
  tensor.struct_size = sizeof(sy_tensor);
  tensor.dtype = static_cast<sy_dtype>(dtype);
  tensor.storage = storage;
  tensor.rank = static_cast<std::uint32_t>(dims.size());
  std::ranges::copy(dims, tensor.dims);
  tensor.base = SY_NO_TENSOR;
  SetDenseStrides(tensor);
  tensors_.push_back(tensor);
  weight_indices_.push_back(kNotAWeight);
  return {static_cast<std::uint32_t>(tensors_.size() - 1)};
}

Tensor OpList::Argument(DType dtype, Dims dims) {
  const Tensor tensor = Append(SY_STORAGE_ARGUMENT, dtype, dims);
  tensors_[tensor.index].slot = slot_count_++;
  return tensor;
}

Tensor OpList::Weight(WeightIndex weight, DType dtype, std::span<const std::int64_t> dims) {
  const Tensor tensor = Append(SY_STORAGE_WEIGHT, dtype, dims);
  weight_indices_[tensor.index] = weight;
  return tensor;
}

Tensor OpList::Temporary(DType dtype, std::span<const std::int64_t> dims) {
  return Append(SY_STORAGE_TEMPORARY, dtype, dims);
}

Tensor OpList::TemporaryLike(Tensor x) {
  const sy_tensor like = at(x);
  return Temporary(static_cast<DType>(like.dtype), DimsOf(like));
}

Tensor OpList::View(Tensor base, std::uint64_t offset_bytes, Dims dims) {
  const sy_tensor root = at(base);
  const Tensor tensor = Append(SY_STORAGE_VIEW, static_cast<DType>(root.dtype), dims);
  sy_tensor& view = tensors_[tensor.index];
  // Views of views are flattened, as the interface allows one level only.
  view.base = root.storage == SY_STORAGE_VIEW ? root.base : base.index;
  view.offset_bytes = offset_bytes + (root.storage == SY_STORAGE_VIEW ? root.offset_bytes : 0);
  return tensor;
}

std::uint32_t OpList::Export(Tensor temporary) {
  sy_tensor& tensor = tensors_[temporary.index];
  SWITCHYARD_CHECK(tensor.storage == SY_STORAGE_TEMPORARY);
  tensor.storage = SY_STORAGE_ARGUMENT;
  tensor.slot = slot_count_++;
  return tensor.slot;
}

sy_op& OpList::AppendOp(sy_op_kind kind, std::initializer_list<Tensor> inputs,
                        std::initializer_list<Tensor> outputs) {
  sy_op op{};
  op.struct_size = sizeof(sy_op);
  op.kind = kind;
  std::ranges::fill(op.inputs, SY_NO_TENSOR);
  std::ranges::fill(op.outputs, SY_NO_TENSOR);
  std::ranges::transform(inputs, op.inputs, &Tensor::index);
  std::ranges::transform(outputs, op.outputs, &Tensor::index);
  op.scale = 1.0F;
  return ops_.emplace_back(op);
}

Tensor OpList::Embedding(Tensor table, Tensor ids, float scale, DType dtype) {
  const Tensor y = Temporary(dtype, std::array{at(ids).dims[0], at(table).dims[1]});
  AppendOp(SY_OP_EMBEDDING, {table, ids}, {y}).scale = scale;
  return y;
}

Tensor OpList::RmsNorm(Tensor x, Tensor weight, float eps) {
  const Tensor y = TemporaryLike(x);
  AppendOp(SY_OP_RMS_NORM, {x, weight}, {y}).eps = eps;
  return y;
}

Tensor OpList::Linear(Tensor x, Tensor weight, Tensor bias) {
  const Tensor y =
      Temporary(static_cast<DType>(at(x).dtype), std::array{at(x).dims[0], at(weight).dims[0]});
  AppendOp(SY_OP_LINEAR, {x, weight, bias}, {y});
  return y;
}

Tensor OpList::Rope(Tensor x, Tensor positions, Tensor inverse_frequencies, bool interleaved,
                    float scale) {
  const Tensor y = TemporaryLike(x);
  sy_op& op = AppendOp(SY_OP_ROPE, {x, positions, inverse_frequencies}, {y});
  op.rope_interleaved = interleaved ? 1 : 0;
  op.scale = scale;
  return y;
}

void OpList::KvStore(Tensor key, Tensor value, Tensor slots, Tensor key_pages, Tensor value_pages) {
  AppendOp(SY_OP_KV_STORE, {key, value, slots, key_pages, value_pages}, {});
}

Tensor OpList::Attention(const AttentionInputs& inputs, const AttentionOptions& options) {
  const sy_tensor query = at(inputs.query);
  const Tensor y =
      Temporary(static_cast<DType>(query.dtype),
                std::array{query.dims[0], query.dims[1], at(inputs.value_pages).dims[3]});
  sy_op& op = AppendOp(SY_OP_ATTENTION,
                       {inputs.query, inputs.key_pages, inputs.value_pages, inputs.page_table,
                        inputs.query_start, inputs.kv_length, inputs.sinks},
                       {y});
  op.scale = options.scale;
  op.softcap = options.softcap;
  op.window = options.window;
  return y;
}

Tensor OpList::GatedActivation(Tensor gate, Tensor up, sy_activation activation) {
  const Tensor y = TemporaryLike(gate);
  AppendOp(SY_OP_GATED_ACTIVATION, {gate, up}, {y}).activation = activation;
  return y;
}

Tensor OpList::Add(Tensor a, Tensor b) {
  const Tensor y = TemporaryLike(a);
  AppendOp(SY_OP_ADD, {a, b}, {y});
  return y;
}

Tensor OpList::Scale(Tensor x, float scale, float softcap) {
  const Tensor y = TemporaryLike(x);
  sy_op& op = AppendOp(SY_OP_SCALE, {x}, {y});
  op.scale = scale;
  op.softcap = softcap;
  return y;
}

Tensor OpList::RowGather(Tensor x, Tensor rows) {
  const Tensor y =
      Temporary(static_cast<DType>(at(x).dtype), std::array{at(rows).dims[0], at(x).dims[1]});
  AppendOp(SY_OP_ROW_GATHER, {x, rows}, {y});
  return y;
}

Tensor OpList::Copy(Tensor x, DType dtype) {
  const sy_tensor from = at(x);
  const Tensor y = Temporary(dtype, DimsOf(from));
  AppendOp(SY_OP_COPY, {x}, {y});
  return y;
}

TopKResult OpList::TopK(Tensor x, std::int64_t k) {
  const std::array dims{at(x).dims[0], k};
  const TopKResult result{Temporary(DType::kF32, dims), Temporary(DType::kI32, dims)};
  AppendOp(SY_OP_TOP_K, {x}, {result.values, result.ids});
  return result;
}

RoutedExperts OpList::RouterTopK(Tensor logits, const RouterOptions& options, Tensor bias) {
  const std::array dims{at(logits).dims[0], options.chosen};
  const RoutedExperts routed{Temporary(DType::kI32, dims), Temporary(DType::kF32, dims)};
  sy_op& op = AppendOp(SY_OP_ROUTER_TOP_K, {logits, bias}, {routed.ids, routed.weights});
  op.scoring = options.scoring;
  op.router_renormalise = options.renormalise ? 1 : 0;
  op.scale = options.scale;
  return routed;
}

Tensor OpList::GroupedLinear(Tensor x, Tensor weight, Tensor ids) {
  const Tensor y = Temporary(static_cast<DType>(at(x).dtype),
                             std::array{at(ids).dims[0], at(ids).dims[1], at(weight).dims[1]});
  AppendOp(SY_OP_GROUPED_LINEAR, {x, weight, ids}, {y});
  return y;
}

Tensor OpList::Combine(Tensor y, Tensor weights) {
  const Tensor z =
      Temporary(static_cast<DType>(at(y).dtype), std::array{at(y).dims[0], at(y).dims[2]});
  AppendOp(SY_OP_COMBINE, {y, weights}, {z});
  return z;
}

Tensor OpList::BatchedLinear(Tensor x, Tensor weight) {
  const Tensor y = Temporary(static_cast<DType>(at(x).dtype),
                             std::array{at(x).dims[0], at(x).dims[1], at(weight).dims[1]});
  AppendOp(SY_OP_BATCHED_LINEAR, {x, weight}, {y});
  return y;
}

OpList::Part OpList::Only(std::span<const std::uint32_t> ops) const {
  Part part;
  std::vector<std::uint32_t> renumbered(tensors_.size(), SY_NO_TENSOR);
  const auto take = [&](auto& self, std::uint32_t& tensor) -> void {
    if (tensor == SY_NO_TENSOR) return;
    std::uint32_t& number = renumbered[tensor];
    if (number == SY_NO_TENSOR) {
      sy_tensor copy = tensors_[tensor];
      if (copy.storage == SY_STORAGE_VIEW) {
        self(self, copy.base);
      } else if (copy.storage != SY_STORAGE_WEIGHT) {
        copy.storage = SY_STORAGE_ARGUMENT;
        copy.slot = part.list.slot_count_++;
        part.origins.push_back(tensor);
      }
      number = static_cast<std::uint32_t>(part.list.tensors_.size());
      part.list.tensors_.push_back(copy);
      part.list.weight_indices_.push_back(weight_indices_[tensor]);
    }
    tensor = number;
  };
  for (const std::uint32_t op : ops) {
    sy_op copy = ops_[op];
    for (std::uint32_t& input : copy.inputs) take(take, input);
    for (std::uint32_t& output : copy.outputs) take(take, output);
    part.list.ops_.push_back(copy);
  }
  return part;
}

sy_program_desc OpList::desc() const {
  sy_program_desc desc{};
  desc.struct_size = sizeof desc;
  desc.tensor_count = static_cast<std::uint32_t>(tensors_.size());
  desc.tensors = tensors_.data();
  desc.op_count = static_cast<std::uint32_t>(ops_.size());
  desc.ops = ops_.data();
  desc.slot_count = slot_count_;
  return desc;
}

}  // namespace switchyard::ops
