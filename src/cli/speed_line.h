// What one answer cost, in the one line that ends it.
#pragma once

#include <cstdint>
#include <string>

#include "cli/ceilings.h"
#include "cli/model_session.h"

namespace switchyard::cli {

struct AnswerTimes {
  std::int64_t prefill_tokens = 0;  // that were not in the cache already
  double prefill_s = 0;
  std::int64_t decode_steps = 0;
  double decode_s = 0;
  std::int64_t depth = 0;  // tokens in the cache at the end
};

// "prefill 40 tokens, 900 tokens/s | decode … = … GB/s, … % of the measured … GB/s | chip | types"
std::string SpeedLine(const AnswerTimes& times, ModelSession& session, const Ceilings& ceilings);

}  // namespace switchyard::cli
