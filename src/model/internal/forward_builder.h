// The words in which an architecture's forward pass is written: an OpList with the model's weights
// by name. The first failure (a missing tensor, a wrong shape) sticks, and the list goes on with a
// stand-in of the right shape, so that a forward pass reads as mathematics; BuildForward reports
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/architecture.h"
#include "model/model_config.h"
#include "ops/op_list.h"

namespace switchyard::model::internal {

using ops::Tensor;

// Finds a weight that will be used in the given way; nothing if the model has none of that name.
using WeightLookup =
    std::function<std::optional<WeightView>(std::string_view name, sy_weight_use use)>;

enum class Bias : std::uint8_t { kIfPresent, kRequired };

class ForwardBuilder {
 public:
  // All arguments must outlive the builder.
  ForwardBuilder(const ModelConfig& config, const ForwardShape& shape,
                 const ForwardOptions& options, const WeightLookup& find_weight);

  const ModelConfig& config() const { return config_; }
  ops::OpList& ops() { return forward_.ops; }

  // Weights. `base` is a name without ".weight", such as "blk.0.attn_q".
  Tensor Matrix(std::string_view base, std::int64_t rows, std::int64_t columns);
  Tensor ExpertMatrices(std::string_view base, std::int64_t rows, std::int64_t columns);
  Tensor Vector(std::string_view name, std::int64_t size);
  Tensor OptionalVector(std::string_view name, std::int64_t size);
  bool Has(std::string_view name) const { return find_weight_(name, 0).has_value(); }

  // Operations with their weights.
  Tensor EmbedTokens();                          // -> [T, hidden]
  Tensor Norm(Tensor x, std::string_view base);  // over the last dimension
  // x[T, K] -> [T, outputs].
  Tensor Linear(Tensor x, std::string_view base, std::int64_t outputs,
                Bias bias = Bias::kIfPresent);
  Tensor Rope(Tensor x, std::int64_t layer);  // x[T, heads, key_dim]
  // Stores key[T, G, d] and value[T, G, dv], then query[T, H, d] -> [T, H, dv].
  Tensor Attention(std::int64_t layer, Tensor query, Tensor key, Tensor value);

  // In the last layer, nothing after attention is needed of tokens that get no logits: there it
  // keeps the other rows of x[T, D]; in other layers it gives x back.
  Tensor KeepLogitRows(std::int64_t layer, Tensor x);
  // Final norm, output matrix and soft cap, or the norm alone if hidden states are asked for; ends
  // the list. x[R, hidden].
  void EmitLogits(Tensor x);

  bool failed() const { return error_.has_value(); }
  // The finished list, or what went wrong.
  base::Result<Forward> Take();

 private:
  Tensor Weight(std::string_view name, std::initializer_list<std::int64_t> dims, sy_weight_use use);
  void Fail(base::Error error);

  const ModelConfig& config_;
  const ForwardShape& shape_;
  const ForwardOptions& options_;
  const WeightLookup& find_weight_;
  Forward forward_;
  std::optional<base::Error> error_;
  Tensor token_ids_;
  Tensor positions_;
  Tensor kv_slots_;
  Tensor page_table_;
  Tensor query_start_;
  Tensor kv_length_;
  Tensor logit_rows_;
  std::vector<Tensor> key_pages_;
  std::vector<Tensor> value_pages_;
};

// "blk.3.attn_q"
std::string LayerName(std::int64_t layer, std::string_view rest);

// Builds the whole pass with any source of weights: the trial build's or the loaded ones.
base::Result<Forward> BuildForwardWith(const ModelConfig& config, const ForwardShape& shape,
                                       const ForwardOptions& options,
                                       const WeightLookup& find_weight);

}  // namespace switchyard::model::internal
