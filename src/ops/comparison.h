// How far a tensor's contents are from the truth, in the terms of tolerances.h. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "ops/tolerances.h"
#include "tensor/dtype.h"

namespace switchyard::ops {

struct Difference {
  double max_error = 0;  // over the scale
  double nmse = 0;
  // How much of the tolerance is taken: 1 is at the edge.
  double share = 0;
  std::string complaint;  // empty if within the tolerance

  bool is_within() const { return complaint.empty(); }
};

// Of dense plain numbers. Errors are measured against the truth's root mean square or
// `expected_rms`, whichever is larger, so that a single value near zero is no failure. Not-a-number
// must meet not-a-number and infinity the same infinity. Integers must be equal.
Difference Compare(tensor::DType dtype, std::span<const std::byte> actual,
                   std::span<const std::byte> truth, Tolerance tolerance, double expected_rms = 0);

}  // namespace switchyard::ops
