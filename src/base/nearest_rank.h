// Percentiles by the nearest rank: always one of the values. Pure.
#pragma once

#include <vector>

namespace switchyard::base {

// The least of the values that `share` of them (0.99) are no greater than; 0 of none. Reorders them.
double NearestRank(std::vector<double>& values, double share);

}  // namespace switchyard::base
