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

struct Scales {
  // Errors are measured against this where it is larger than the truth's root mean square, so that
  // a single value near zero is no failure.
  double expected_rms = 0;
  // Of a row, where a row's own root mean square counts if it is the larger one: in real models
  // some tokens have activations a hundred times those of others. 0: all elements are one row.
  std::size_t row_elements = 0;
};

// Of dense plain numbers. Not-a-number must meet not-a-number and infinity the same infinity.
// Integers must be equal.
Difference Compare(tensor::DType dtype, std::span<const std::byte> actual,
                   std::span<const std::byte> truth, Tolerance tolerance, Scales scales = {});

}  // namespace switchyard::ops
