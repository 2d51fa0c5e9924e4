// Qwen2 and Qwen2.5: Llama's layers with biases on queries, keys and values (arXiv:2407.10671).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildQwen2(ForwardBuilder& forward) {
  ops::OpList& ops = forward.ops();
  Tensor hidden = forward.EmbedTokens();
  for (std::int64_t layer = 0; layer < forward.config().layers; ++layer) {
    const Tensor attention_input = forward.Norm(hidden, LayerName(layer, "attn_norm"));
    hidden = forward.KeepLogitRows(layer, hidden);
    const Tensor attended = SelfAttention(forward, layer, attention_input, QueryKeyNorm::kNone);
    hidden = ops.Add(hidden, attended);

    const Tensor mlp_input = forward.Norm(hidden, LayerName(layer, "ffn_norm"));
    const Tensor mlp_output = GatedMlp(forward, layer, mlp_input);
    hidden = ops.Add(hidden, mlp_output);
  }
  forward.EmitLogits(hidden);
}

}  // namespace switchyard::model::architectures
