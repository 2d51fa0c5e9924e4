#include "conformance/comparison.h"

#include <fmt/format.h>

#include <algorithm>

namespace switchyard::conformance {

Difference CompareAll(const Scenario& scenario, const Outputs& actual, const Outputs& truth) {
  Difference all;
  for (std::size_t i = 0; i < scenario.results().size(); ++i) {
    const Result& result = scenario.results()[i];
    const auto dtype = static_cast<DType>(scenario.tensors[result.tensor.index].dtype);
    const Difference one = Compare(dtype, actual[i], truth[i], result);
    all.max_error = std::max(all.max_error, one.max_error);
    all.nmse = std::max(all.nmse, one.nmse);
    all.share = std::max(all.share, one.share);
    if (all.complaint.empty() && !one.complaint.empty()) {
      all.complaint = fmt::format("{}: {}", result.name, one.complaint);
    }
  }
  return all;
}

}  // namespace switchyard::conformance
