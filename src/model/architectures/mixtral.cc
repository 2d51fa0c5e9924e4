// Mixtral: Llama's attention, with a mixture of experts in place of the MLP; the chosen experts'
// weights are renormalised (arXiv:2401.04088).
#include "model/architectures/architectures.h"

namespace switchyard::model::architectures {

void BuildMixtral(ForwardBuilder& forward) { PreNormPass(forward, QueryKeyNorm::kNone, ExpertMlp); }

}  // namespace switchyard::model::architectures
