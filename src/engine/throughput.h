// How many tokens a second a runner prefills and decodes, on synthetic tokens. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "engine/runner.h"

namespace switchyard::engine {

struct Workload {
  std::int64_t tokens = 512;   // to prefill, or to decode
  std::int64_t depth = 0;      // tokens in the cache before a decode
  std::int64_t sequences = 1;  // at once
};

// One sample for each repetition, of all sequences together, after a run that warms up.
base::Result<std::vector<double>> MeasurePrefill(Runner& runner, const Workload& workload,
                                                 std::int64_t repetitions);
base::Result<std::vector<double>> MeasureDecode(Runner& runner, const Workload& workload,
                                                std::int64_t repetitions);

double Median(std::vector<double> values);

}  // namespace switchyard::engine
