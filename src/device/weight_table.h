// The weights of one model: where each lies in host memory, and its prepared copy on every device
// that runs an operation with it. A weight is prepared the first time a program needs it on a
// device, so a chip that lacks an operation never holds that operation's weights, and the fallback
// does.
//
// The model adds weights; programs ask for prepared ones. Not safe from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "ops/op_list.h"
#include "switchyard/chip.h"
#include "tensor/dtype.h"

namespace switchyard::device {

class Device;

struct HostWeight {
  std::string name;
  tensor::DType dtype = tensor::DType::kF32;
  std::vector<std::int64_t> dims;    // outermost first: [N, K], [E, N, K] or [D]
  sy_weight_use use = 0;             // all uses the model makes of it, or-ed
  std::span<const std::byte> bytes;  // dense; in a mapped file, or in `owned`
  std::vector<std::byte> owned;      // for weights that had to be converted at load
};

class WeightTable {
 public:
  WeightTable() = default;
  WeightTable(WeightTable&&) noexcept = default;
  WeightTable& operator=(WeightTable&&) noexcept = default;
  ~WeightTable();

  // `weight.bytes` (unless owned) must outlive the table.
  ops::WeightIndex Add(HostWeight weight);
  const HostWeight& at(ops::WeightIndex index) const { return weights_[index]; }
  std::size_t size() const { return weights_.size(); }

  // The prepared weight on `device`, prepared now if it was not yet. `device` must outlive the
  // table.
  base::Result<sy_weight*> Prepare(ops::WeightIndex index, Device& device);

  // What is prepared on `device` by now, for reports.
  struct Prepared {
    ops::WeightIndex index;
    sy_weight_properties properties;
  };
  std::vector<Prepared> PreparedOn(const Device& device) const;

 private:
  struct Entry {
    sy_weight* weight;
    sy_weight_properties properties;
  };
  std::vector<HostWeight> weights_;
  std::map<std::pair<Device*, ops::WeightIndex>, Entry> prepared_;
};

}  // namespace switchyard::device
