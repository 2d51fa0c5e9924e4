// A list of operations and the tensors they read and write: what a model builds and a device plans.
// It is the chip interface's program description, made by functions that cannot forget a field.
//
// Shapes in comments: T tokens, D hidden, H query heads, G key/value heads, d head dim, B
// sequences. The functions do not check shapes (Validate in op_rules.h does). Not safe from several
// threads.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "switchyard/chip.h"
#include "tensor/dtype.h"

namespace switchyard::ops {

// A tensor of one OpList.
struct Tensor {
  std::uint32_t index = SY_NO_TENSOR;
  bool present() const { return index != SY_NO_TENSOR; }
};

inline constexpr Tensor kAbsent{};

// The index of a weight in the table that the list's maker keeps (device::WeightTable).
using WeightIndex = std::uint32_t;
inline constexpr WeightIndex kNotAWeight = 0xffffffffU;

struct AttentionInputs {
  Tensor query;        // [T, H, d]
  Tensor key_pages;    // [pages, P, G, d]
  Tensor value_pages;  // [pages, P, G, dv]
  Tensor page_table;   // [B, M] i32
  Tensor query_start;  // [B + 1] i32
  Tensor kv_length;    // [B] i32
  Tensor sinks;        // [H] f32 weight, optional
};

struct AttentionOptions {
  float scale = 1.0F;
  float softcap = 0.0F;
  std::uint32_t window = 0;
};

struct RouterOptions {
  std::int64_t chosen = 1;  // experts for each token
  sy_scoring scoring = SY_SCORING_SOFTMAX;
  bool renormalise = true;
  float scale = 1.0F;
};

struct RoutedExperts {
  Tensor ids;      // [T, k] i32
  Tensor weights;  // [T, k] f32
};

struct TopKResult {
  Tensor values;  // [B, k] f32
  Tensor ids;     // [B, k] i32
};

class OpList {
 public:
  using DType = tensor::DType;
  using Dims = std::initializer_list<std::int64_t>;

  // Tensors. An argument takes the next binding slot; slot() tells which.
  Tensor Argument(DType dtype, Dims dims);
  Tensor Weight(WeightIndex weight, DType dtype, std::span<const std::int64_t> dims);
  Tensor Temporary(DType dtype, std::span<const std::int64_t> dims);
  // A dense window of other dims into `base`, starting `offset_bytes` in.
  Tensor View(Tensor base, std::uint64_t offset_bytes, Dims dims);
  // Turns a temporary into an argument, so that its contents can be read after the run.
  std::uint32_t Export(Tensor temporary);

  // Operations, each as chip.h defines it. The result is a new temporary.
  Tensor Embedding(Tensor table, Tensor ids, float scale, DType dtype);
  Tensor RmsNorm(Tensor x, Tensor weight, float eps);
  Tensor Linear(Tensor x, Tensor weight, Tensor bias = kAbsent);
  Tensor Rope(Tensor x, Tensor positions, Tensor inverse_frequencies, bool interleaved,
              float scale = 1.0F);
  void KvStore(Tensor key, Tensor value, Tensor slots, Tensor key_pages, Tensor value_pages);
  Tensor Attention(const AttentionInputs& inputs, const AttentionOptions& options);
  Tensor GatedActivation(Tensor gate, Tensor up, sy_activation activation);
  Tensor Add(Tensor a, Tensor b);
  Tensor Scale(Tensor x, float scale, float softcap = 0.0F);
  Tensor RowGather(Tensor x, Tensor rows);
  Tensor Copy(Tensor x, DType dtype);
  TopKResult TopK(Tensor x, std::int64_t k);
  RoutedExperts RouterTopK(Tensor logits, const RouterOptions& options, Tensor bias = kAbsent);
  Tensor GroupedLinear(Tensor x, Tensor weight, Tensor ids);
  Tensor Combine(Tensor y, Tensor weights);
  Tensor BatchedLinear(Tensor x, Tensor weight);

  // Some of the operations, as a list of its own in which temporaries are arguments too, so that
  // they can be given and read.
  struct Part;
  Part Only(std::span<const std::uint32_t> ops) const;

  // Same memory under other dims of the same element count, without an operation.
  Tensor Reshape(Tensor x, Dims dims) { return View(x, 0, dims); }

  const sy_tensor& at(Tensor tensor) const { return tensors_[tensor.index]; }
  std::uint32_t slot(Tensor tensor) const { return tensors_[tensor.index].slot; }
  std::span<const sy_tensor> tensors() const { return tensors_; }
  std::span<const sy_op> ops() const { return ops_; }
  std::uint32_t slot_count() const { return slot_count_; }
  // kNotAWeight for every other tensor.
  WeightIndex weight_index(std::uint32_t tensor) const { return weight_indices_[tensor]; }

  // Points into this list; weights are null until a device fills them in.
  sy_program_desc desc() const;

 private:
  Tensor Append(sy_storage storage, DType dtype, std::span<const std::int64_t> dims);
  Tensor TemporaryLike(Tensor x);
  sy_op& AppendOp(sy_op_kind kind, std::initializer_list<Tensor> inputs,
                  std::initializer_list<Tensor> outputs);

  std::vector<sy_tensor> tensors_;
  std::vector<WeightIndex> weight_indices_;
  std::vector<sy_op> ops_;
  std::uint32_t slot_count_ = 0;
};

struct OpList::Part {
  OpList list;
  std::vector<std::uint32_t> origins;  // by slot: the tensor of the whole list
};

}  // namespace switchyard::ops
