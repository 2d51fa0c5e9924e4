// How far results are from the truth, in the terms of tolerances.h.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "conformance/execution.h"
#include "conformance/scenario.h"

namespace switchyard::conformance {

struct Difference {
  double max_error = 0;  // over the scale
  double nmse = 0;
  // How much of the tolerance is taken: 1 is at the edge.
  double share = 0;
  std::string complaint;  // empty if within the tolerance

  bool is_within() const { return complaint.empty(); }
};

// Not-a-number must meet not-a-number and infinity the same infinity.
Difference Compare(tensor::DType dtype, std::span<const std::byte> actual,
                   std::span<const std::byte> truth, const Result& result);

// All results of a scenario: the largest errors, and the first complaint, which names its result.
Difference CompareAll(const Scenario& scenario, const Outputs& actual, const Outputs& truth);

}  // namespace switchyard::conformance
