// Gemma 2: norms before and after attention and MLP, scaled embeddings, every other layer with a
// sliding window, soft caps on attention scores and logits (arXiv:2408.00118).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildGemma2(ForwardBuilder& forward) { SandwichNormPass(forward, QueryKeyNorm::kNone); }

}  // namespace switchyard::model::architectures
