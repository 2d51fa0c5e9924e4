// Qwen3-MoE: Qwen3's attention; layers have a mixture of experts or, where the configuration says
// so, one dense MLP (arXiv:2505.09388).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildQwen3Moe(ForwardBuilder& forward) {
  ops::OpList& ops = forward.ops();
  Tensor hidden = forward.EmbedTokens();
  for (std::int64_t layer = 0; layer < forward.config().layers; ++layer) {
    const Tensor attention_input = forward.Norm(hidden, LayerName(layer, "attn_norm"));
    hidden = forward.KeepLogitRows(layer, hidden);
    const Tensor attended = SelfAttention(forward, layer, attention_input, QueryKeyNorm::kPerHead);
    hidden = ops.Add(hidden, attended);

    const Tensor mlp_input = forward.Norm(hidden, LayerName(layer, "ffn_norm"));
    const bool has_experts = forward.config().has_experts[static_cast<std::size_t>(layer)];
    const Tensor mlp_output =
        has_experts ? ExpertMlp(forward, layer, mlp_input) : GatedMlp(forward, layer, mlp_input);
    hidden = ops.Add(hidden, mlp_output);
  }
  forward.EmitLogits(hidden);
}

}  // namespace switchyard::model::architectures
