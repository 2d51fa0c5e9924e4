#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void PreNormPass(ForwardBuilder& forward, QueryKeyNorm norm, Mlp mlp) {
  ops::OpList& ops = forward.ops();
  Tensor hidden = forward.EmbedTokens();
  for (std::int64_t layer = 0; layer < forward.config().layers; ++layer) {
    const Tensor attention_input = forward.Norm(hidden, LayerName(layer, "attn_norm"));
    hidden = forward.KeepLogitRows(layer, hidden);
    hidden = ops.Add(hidden, SelfAttention(forward, layer, attention_input, norm));

    const Tensor mlp_input = forward.Norm(hidden, LayerName(layer, "ffn_norm"));
    hidden = ops.Add(hidden, mlp(forward, layer, mlp_input));
  }
  forward.EmitLogits(hidden);
}

void SandwichNormPass(ForwardBuilder& forward, QueryKeyNorm norm) {
  ops::OpList& ops = forward.ops();
  Tensor hidden = forward.EmbedTokens();
  for (std::int64_t layer = 0; layer < forward.config().layers; ++layer) {
    const Tensor attention_input = forward.Norm(hidden, LayerName(layer, "attn_norm"));
    hidden = forward.KeepLogitRows(layer, hidden);
    Tensor attended = SelfAttention(forward, layer, attention_input, norm);
    attended = forward.Norm(attended, LayerName(layer, "post_attention_norm"));
    hidden = ops.Add(hidden, attended);

    const Tensor mlp_input = forward.Norm(hidden, LayerName(layer, "ffn_norm"));
    Tensor mlp_output = GatedMlp(forward, layer, mlp_input);
    mlp_output = forward.Norm(mlp_output, LayerName(layer, "post_ffw_norm"));
    hidden = ops.Add(hidden, mlp_output);
  }
  forward.EmitLogits(hidden);
}

Tensor SelfAttention(ForwardBuilder& forward, std::int64_t layer, Tensor x, QueryKeyNorm norm) {
  const ModelConfig& config = forward.config();
  ops::OpList& ops = forward.ops();
  const std::int64_t tokens = ops.at(x).dims[0];

  const auto project = [&](std::string_view name, std::int64_t outputs) {
    return forward.Linear(
        x, LayerName(layer, name), outputs,
        config.needs_qkv_bias ? internal::Bias::kRequired : internal::Bias::kIfPresent);
  };
  Tensor query = project("attn_q", config.heads * config.key_dim);
  Tensor key = project("attn_k", config.kv_heads * config.key_dim);
  Tensor value = project("attn_v", config.kv_heads * config.value_dim);
  query = ops.Reshape(query, {tokens, config.heads, config.key_dim});
  key = ops.Reshape(key, {tokens, config.kv_heads, config.key_dim});
  value = ops.Reshape(value, {tokens, config.kv_heads, config.value_dim});
  if (norm == QueryKeyNorm::kPerHead) {
    query = forward.Norm(query, LayerName(layer, "attn_q_norm"));
    key = forward.Norm(key, LayerName(layer, "attn_k_norm"));
  }
  query = forward.Rope(query, layer);
  key = forward.Rope(key, layer);

  Tensor attended = forward.Attention(layer, query, key, value);
  attended = ops.Reshape(attended, {tokens, config.heads * config.value_dim});
  attended = forward.KeepLogitRows(layer, attended);
  return forward.Linear(attended, LayerName(layer, "attn_output"), config.hidden);
}

Tensor GatedMlp(ForwardBuilder& forward, std::int64_t layer, Tensor x) {
  const ModelConfig& config = forward.config();
  const Tensor gate = forward.Linear(x, LayerName(layer, "ffn_gate"), config.ffn);
  const Tensor up = forward.Linear(x, LayerName(layer, "ffn_up"), config.ffn);
  const Tensor activated = forward.ops().GatedActivation(gate, up, config.activation);
  return forward.Linear(activated, LayerName(layer, "ffn_down"), config.hidden);
}

Tensor ExpertMlp(ForwardBuilder& forward, std::int64_t layer, Tensor x) {
  const ModelConfig& config = forward.config();
  const ExpertConfig& experts = config.experts;
  ops::OpList& ops = forward.ops();
  const std::int64_t tokens = ops.at(x).dims[0];

  const Tensor logits = forward.Linear(x, LayerName(layer, "ffn_gate_inp"), experts.count);
  const ops::RoutedExperts routed =
      ops.RouterTopK(logits, {.chosen = experts.used,
                              .scoring = SY_SCORING_SOFTMAX,
                              .renormalise = experts.renormalise,
                              .scale = static_cast<float>(experts.scale)});

  const Tensor gate_matrices =
      forward.ExpertMatrices(LayerName(layer, "ffn_gate_exps"), experts.ffn, config.hidden);
  const Tensor up_matrices =
      forward.ExpertMatrices(LayerName(layer, "ffn_up_exps"), experts.ffn, config.hidden);
  const Tensor down_matrices =
      forward.ExpertMatrices(LayerName(layer, "ffn_down_exps"), config.hidden, experts.ffn);
  Tensor gate = ops.GroupedLinear(x, gate_matrices, routed.ids);  // [T, k, F]
  Tensor up = ops.GroupedLinear(x, up_matrices, routed.ids);      // [T, k, F]
  // Gated activation knows rows only: each expert chosen by a token is a row of its own.
  gate = ops.Reshape(gate, {tokens * experts.used, experts.ffn});
  up = ops.Reshape(up, {tokens * experts.used, experts.ffn});
  Tensor activated = ops.GatedActivation(gate, up, config.activation);
  activated = ops.Reshape(activated, {tokens, experts.used, experts.ffn});
  const Tensor down = ops.GroupedLinear(activated, down_matrices, routed.ids);  // [T, k, D]
  return ops.Combine(down, routed.weights);
}

}  // namespace switchyard::model::architectures
