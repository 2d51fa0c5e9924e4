// Qwen3: Llama's layers with a norm on each head of queries and keys, and no biases
// (arXiv:2505.09388).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildQwen3(ForwardBuilder& forward) {
  ops::OpList& ops = forward.ops();
  Tensor hidden = forward.EmbedTokens();
  for (std::int64_t layer = 0; layer < forward.config().layers; ++layer) {
    const Tensor attention_input = forward.Norm(hidden, LayerName(layer, "attn_norm"));
    hidden = forward.KeepLogitRows(layer, hidden);
    const Tensor attended = SelfAttention(forward, layer, attention_input, QueryKeyNorm::kPerHead);
    hidden = ops.Add(hidden, attended);

    const Tensor mlp_input = forward.Norm(hidden, LayerName(layer, "ffn_norm"));
    const Tensor mlp_output = GatedMlp(forward, layer, mlp_input);
    hidden = ops.Add(hidden, mlp_output);
  }
  forward.EmitLogits(hidden);
}

}  // namespace switchyard::model::architectures
