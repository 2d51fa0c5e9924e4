// How far a scenario's results are from the truth.
#pragma once

#include <cstddef>
#include <span>

#include "conformance/execution.h"
#include "conformance/scenario.h"
#include "ops/comparison.h"

namespace switchyard::conformance {

using ops::Difference;

inline Difference Compare(tensor::DType dtype, std::span<const std::byte> actual,
                          std::span<const std::byte> truth, const Result& result) {
  return ops::Compare(dtype, actual, truth, result.tolerance,
                      {.expected_rms = static_cast<double>(result.expected_rms)});
}

// All results of a scenario: the largest errors, and the first complaint, which names its result.
Difference CompareAll(const Scenario& scenario, const Outputs& actual, const Outputs& truth);

}  // namespace switchyard::conformance
