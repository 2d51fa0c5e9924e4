// A model's forward pass as an operation list, for given shapes: what an engine plans with
// device::Program and runs. Each architecture has one file under architectures/.
//
// Shapes: T tokens of all sequences in the batch, B sequences, R rows of logits, P page size,
// G key/value heads. Pure but for what it reads of the weights; safe from several threads as long
// as nobody changes those.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "model/model_config.h"
#include "model/model_weights.h"
#include "ops/op_list.h"
#include "tensor/dtype.h"

namespace switchyard::model {

struct ForwardShape {
  std::int64_t tokens = 1;
  std::int64_t sequences = 1;
  // How many tokens get logits. If as many as there are tokens, they are all of them in order,
  // whatever is bound to logit_rows.
  std::int64_t logit_rows = 1;
  std::int64_t pages = 1;  // in each layer's key and value pages
  std::int64_t page_size = 16;
  std::int64_t pages_per_sequence = 1;  // the page table's width
};

struct ForwardOptions {
  tensor::DType activation_dtype = tensor::DType::kF32;  // F32, F16 or BF16
  tensor::DType kv_dtype = tensor::DType::kF16;
  // Ends with the final norm instead of logits: what embeddings are made of.
  bool hidden_states = false;
};

// The list, and the binding slots of its arguments.
struct Forward {
  ops::OpList ops;
  std::uint32_t token_ids = 0;             // [T] i32
  std::uint32_t positions = 0;             // [T] i32
  std::uint32_t kv_slots = 0;              // [T] i32, as kv_store takes them
  std::uint32_t page_table = 0;            // [B, pages_per_sequence] i32
  std::uint32_t query_start = 0;           // [B + 1] i32
  std::uint32_t kv_length = 0;             // [B] i32
  std::uint32_t logit_rows = 0;            // [R] i32
  std::vector<std::uint32_t> key_pages;    // by layer: [pages, P, G, key_dim]
  std::vector<std::uint32_t> value_pages;  // by layer: [pages, P, G, value_dim]
  std::uint32_t logits = 0;  // [R, vocabulary] f32, or hidden states [R, hidden]; written
};

base::Result<Forward> BuildForward(const ModelConfig& config, const ModelWeights& weights,
                                   const ForwardShape& shape, const ForwardOptions& options);

}  // namespace switchyard::model
