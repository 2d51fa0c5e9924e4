// How fast each operation is on a chip, at shapes of a model of some billions of parameters, as a
// share of what the device measured itself to do at best. Not a test: nothing here passes or fails.
#pragma once

#include <string>
#include <vector>

#include "conformance/scenario.h"
#include "conformance/session.h"

namespace switchyard::conformance {

struct Speed {
  std::string operation;  // "linear q4_0, 1 row"
  std::string shape;
  double seconds = 0;  // median of several runs, launch and wait included
  double rate = 0;     // of `unit`
  std::string unit;    // "GB/s" or "GFLOP/s"
  double ceiling = 0;  // of the same unit; 0 where the chip does not measure it
};

// What the chip lacks is left out. Takes about half a second an operation.
base::Result<std::vector<Speed>> MeasureSpeeds(Session& session, std::uint64_t seed);

std::string DescribeSpeeds(const std::vector<Speed>& speeds);

}  // namespace switchyard::conformance
