#include "base/nearest_rank.h"

#include <algorithm>
#include <cmath>

namespace switchyard::base {

double NearestRank(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  // 0.07 of 100 is the 7th, though the product is a little more than 7.
  const double rank = std::ceil(share * static_cast<double>(values.size()) - 1e-9);
  const auto place = values.begin() + std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(rank) - 1,
                                                                 0, std::ssize(values) - 1);
  std::ranges::nth_element(values, place);
  return *place;
}

}  // namespace switchyard::base
