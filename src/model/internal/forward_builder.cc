#include "model/internal/forward_builder.h"

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard::model::internal {

using base::ErrorCode;
using tensor::DType;

std::string LayerName(std::int64_t layer, std::string_view rest) {
  return fmt::format("blk.{}.{}", layer, rest);
}

ForwardBuilder::ForwardBuilder(const ModelConfig& config, const ForwardShape& shape,
                               const ForwardOptions& options, const WeightLookup& find_weight)
    : config_(config), shape_(shape), options_(options), find_weight_(find_weight) {
  const auto argument = [this](std::initializer_list<std::int64_t> dims, std::uint32_t& slot) {
    const Tensor tensor = ops().Argument(DType::kI32, dims);
    slot = ops().slot(tensor);
    return tensor;
  };
  token_ids_ = argument({shape.tokens}, forward_.token_ids);
  positions_ = argument({shape.tokens}, forward_.positions);
  kv_slots_ = argument({shape.tokens}, forward_.kv_slots);
  page_table_ = argument({shape.sequences, shape.pages_per_sequence}, forward_.page_table);
  query_start_ = argument({shape.sequences + 1}, forward_.query_start);
  kv_length_ = argument({shape.sequences}, forward_.kv_length);
  logit_rows_ = argument({shape.logit_rows}, forward_.logit_rows);
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    key_pages_.push_back(ops().Argument(
        options.kv_dtype, {shape.pages, shape.page_size, config.kv_heads, config.key_dim}));
    value_pages_.push_back(ops().Argument(
        options.kv_dtype, {shape.pages, shape.page_size, config.kv_heads, config.value_dim}));
    forward_.key_pages.push_back(ops().slot(key_pages_.back()));
    forward_.value_pages.push_back(ops().slot(value_pages_.back()));
  }
}

Tensor ForwardBuilder::Weight(std::string_view name, std::initializer_list<std::int64_t> dims,
                              sy_weight_use use) {
  const std::optional<WeightView> found = find_weight_(name, use);
  if (found && std::ranges::equal(found->dims, dims)) {
    return ops().Weight(found->index, found->dtype, found->dims);
  }
  if (found) {
    Fail({ErrorCode::kInvalidArgument,
          fmt::format("tensor '{}' is [{}], but the model's configuration asks for [{}]; the file "
                      "is damaged or its configuration belongs to another model",
                      name, fmt::join(found->dims, ", "), fmt::join(dims, ", "))});
  } else {
    Fail({ErrorCode::kInvalidArgument,
          fmt::format("tensor '{}' is missing, which {} needs; get a complete copy of the model",
                      name, Name(config_.architecture))});
  }
  return ops().Weight(ops::kNotAWeight, DType::kF32, dims);
}

Tensor ForwardBuilder::Matrix(std::string_view base, std::int64_t rows, std::int64_t columns) {
  return Weight(fmt::format("{}.weight", base), {rows, columns}, SY_WEIGHT_LINEAR);
}

Tensor ForwardBuilder::ExpertMatrices(std::string_view base, std::int64_t rows,
                                      std::int64_t columns) {
  return Weight(fmt::format("{}.weight", base), {config_.experts.count, rows, columns},
                SY_WEIGHT_LINEAR);
}

Tensor ForwardBuilder::Vector(std::string_view name, std::int64_t size) {
  return Weight(name, {size}, SY_WEIGHT_VECTOR);
}

Tensor ForwardBuilder::OptionalVector(std::string_view name, std::int64_t size) {
  return Has(name) ? Vector(name, size) : ops::kAbsent;
}

Tensor ForwardBuilder::EmbedTokens() {
  const Tensor table =
      Weight("token_embd.weight", {config_.vocabulary, config_.hidden}, SY_WEIGHT_EMBEDDING);
  return ops().Embedding(table, token_ids_, static_cast<float>(config_.embedding_scale),
                         options_.activation_dtype);
}

Tensor ForwardBuilder::Norm(Tensor x, std::string_view base) {
  const sy_tensor& shape = ops().at(x);
  const std::int64_t width = shape.dims[shape.rank - 1];
  const Tensor weight = Vector(fmt::format("{}.weight", base), width);
  return ops().RmsNorm(x, weight, static_cast<float>(config_.norm_eps));
}

Tensor ForwardBuilder::Linear(Tensor x, std::string_view base, std::int64_t outputs, Bias bias) {
  const std::int64_t inputs = ops().at(x).dims[1];
  const Tensor weight = Matrix(base, outputs, inputs);
  const std::string bias_name = fmt::format("{}.bias", base);
  const Tensor added =
      bias == Bias::kRequired ? Vector(bias_name, outputs) : OptionalVector(bias_name, outputs);
  return ops().Linear(x, weight, added);
}

Tensor ForwardBuilder::Rope(Tensor x, std::int64_t layer) {
  const RopeConfig& rope = config_.RopeOf(layer);
  const bool is_window_rope = &rope != &config_.rope;
  const Tensor frequencies =
      Vector(is_window_rope ? kWindowRopeFrequencies : kRopeFrequencies, rope.dims / 2);
  return ops().Rope(x, positions_, frequencies, config_.rope_interleaved,
                    static_cast<float>(rope.attention_factor));
}

Tensor ForwardBuilder::Attention(std::int64_t layer, Tensor query, Tensor key, Tensor value) {
  const auto index = static_cast<std::size_t>(layer);
  ops().KvStore(key, value, kv_slots_, key_pages_[index], value_pages_[index]);
  return ops().Attention({.query = query,
                          .key_pages = key_pages_[index],
                          .value_pages = value_pages_[index],
                          .page_table = page_table_,
                          .query_start = query_start_,
                          .kv_length = kv_length_,
                          .sinks = ops::kAbsent},
                         {.scale = static_cast<float>(config_.attention_scale),
                          .softcap = static_cast<float>(config_.attention_softcap),
                          .window = config_.windows[index]});
}

Tensor ForwardBuilder::KeepLogitRows(std::int64_t layer, Tensor x) {
  if (layer + 1 != config_.layers || shape_.logit_rows == shape_.tokens) return x;
  return ops().RowGather(x, logit_rows_);
}

void ForwardBuilder::EmitLogits(Tensor x) {
  x = Norm(x, "output_norm");
  if (options_.hidden_states) {
    if (options_.activation_dtype != DType::kF32) x = ops().Copy(x, DType::kF32);
    forward_.logits = ops().Export(x);
    return;
  }
  const std::string_view base = config_.tied_embeddings ? "token_embd" : "output";
  Tensor logits = Linear(x, base, config_.vocabulary);
  if (options_.activation_dtype != DType::kF32) logits = ops().Copy(logits, DType::kF32);
  if (config_.logit_softcap > 0.0) {
    logits = ops().Scale(logits, 1.0F, static_cast<float>(config_.logit_softcap));
  }
  forward_.logits = ops().Export(logits);
}

void ForwardBuilder::Fail(base::Error error) {
  if (!error_) error_ = std::move(error);
}

base::Result<Forward> ForwardBuilder::Take() {
  if (error_) return std::unexpected(std::move(*error_));
  return std::move(forward_);
}

}  // namespace switchyard::model::internal
