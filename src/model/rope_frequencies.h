// Rotary frequencies as a table: every scaling rule (linear, Llama 3, YaRN) is settled here, once,
// on the host, so that chips know only `angle = position * frequency`. Pure; safe from any thread.
#pragma once

#include <span>
#include <vector>

#include "base/error.h"
#include "model/model_config.h"

namespace switchyard::model {

// [rope.dims / 2]. `divisors` may be empty, or has one number for each frequency by which it is
// divided (the tensor rope_freqs.weight of GGUF files): Llama 3's rule, worked out. Fails if there
// is another rule beside them.
base::Result<std::vector<float>> InverseFrequencies(const RopeConfig& rope,
                                                    std::span<const float> divisors);

}  // namespace switchyard::model
