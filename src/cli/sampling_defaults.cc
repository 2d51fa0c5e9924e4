#include "cli/sampling_defaults.h"

namespace switchyard::cli {

engine::SamplingParameters WithRecommended(engine::SamplingParameters usual,
                                           const model::GenerationDefaults& recommended) {
  usual.temperature = recommended.temperature.value_or(usual.temperature);
  if (recommended.sample == false) usual.temperature = 0;
  usual.top_p = recommended.top_p.value_or(usual.top_p);
  usual.top_k = recommended.top_k.value_or(usual.top_k);
  usual.min_p = recommended.min_p.value_or(usual.min_p);
  usual.repetition_penalty = recommended.repetition_penalty.value_or(usual.repetition_penalty);
  return usual;
}

}  // namespace switchyard::cli
