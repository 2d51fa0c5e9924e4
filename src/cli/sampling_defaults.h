// How answers are drawn where nobody says: as the model's publisher recommends, else as the command
// has it. Pure.
#pragma once

#include "engine/sampling.h"
#include "model/publisher_settings.h"

namespace switchyard::cli {

// `usual` with what the publisher says.
engine::SamplingParameters WithRecommended(engine::SamplingParameters usual,
                                           const model::GenerationDefaults& recommended);

}  // namespace switchyard::cli
