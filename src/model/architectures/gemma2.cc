// Gemma 2: norms before and after attention and MLP, scaled embeddings, every other layer with a
// sliding window, soft caps on attention scores and logits (arXiv:2408.00118).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildGemma2(ForwardBuilder& forward) {
  ops::OpList& ops = forward.ops();
  Tensor hidden = forward.EmbedTokens();
  for (std::int64_t layer = 0; layer < forward.config().layers; ++layer) {
    const Tensor attention_input = forward.Norm(hidden, LayerName(layer, "attn_norm"));
    hidden = forward.KeepLogitRows(layer, hidden);
    Tensor attended = SelfAttention(forward, layer, attention_input, QueryKeyNorm::kNone);
    attended = forward.Norm(attended, LayerName(layer, "post_attention_norm"));
    hidden = ops.Add(hidden, attended);

    const Tensor mlp_input = forward.Norm(hidden, LayerName(layer, "ffn_norm"));
    Tensor mlp_output = GatedMlp(forward, layer, mlp_input);
    mlp_output = forward.Norm(mlp_output, LayerName(layer, "post_ffw_norm"));
    hidden = ops.Add(hidden, mlp_output);
  }
  forward.EmitLogits(hidden);
}

}  // namespace switchyard::model::architectures
