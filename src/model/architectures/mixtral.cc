// Mixtral: Llama's attention, with a mixture of experts in place of the MLP; the chosen experts'
// weights are renormalised (arXiv:2401.04088).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildMixtral(ForwardBuilder& forward) {
  ops::OpList& ops = forward.ops();
  Tensor hidden = forward.EmbedTokens();
  for (std::int64_t layer = 0; layer < forward.config().layers; ++layer) {
    const Tensor attention_input = forward.Norm(hidden, LayerName(layer, "attn_norm"));
    hidden = forward.KeepLogitRows(layer, hidden);
    const Tensor attended = SelfAttention(forward, layer, attention_input, QueryKeyNorm::kNone);
    hidden = ops.Add(hidden, attended);

    const Tensor mlp_input = forward.Norm(hidden, LayerName(layer, "ffn_norm"));
    const Tensor mlp_output = ExpertMlp(forward, layer, mlp_input);
    hidden = ops.Add(hidden, mlp_output);
  }
  forward.EmitLogits(hidden);
}

}  // namespace switchyard::model::architectures
