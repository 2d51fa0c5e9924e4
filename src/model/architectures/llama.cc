// Llama 2 and 3.x, Mistral, Yi and SmolLM: norms before attention and before the gated MLP, each
// added to the residual stream (arXiv:2302.13971; grouped queries arXiv:2305.13245; Mistral's
// sliding window arXiv:2310.06825).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildLlama(ForwardBuilder& forward) { PreNormPass(forward, QueryKeyNorm::kNone, GatedMlp); }

}  // namespace switchyard::model::architectures
