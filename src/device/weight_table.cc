#include "device/weight_table.h"

#include <algorithm>

#include "device/device.h"

namespace switchyard::device {

WeightTable::~WeightTable() {
  for (auto& [key, entry] : prepared_) key.first->api().weight_destroy(entry.weight);
}

ops::WeightIndex WeightTable::Add(HostWeight weight) {
  // The span into `owned` survives moves of the struct: a vector's storage moves with it.
  if (!weight.owned.empty()) weight.bytes = weight.owned;
  weights_.push_back(std::move(weight));
  return static_cast<ops::WeightIndex>(weights_.size() - 1);
}

base::Result<sy_weight*> WeightTable::Prepare(ops::WeightIndex index, Device& device) {
  SWITCHYARD_CHECK(index < weights_.size());
  const auto key = std::pair(&device, index);
  if (const auto found = prepared_.find(key); found != prepared_.end()) return found->second.weight;

  const HostWeight& host = weights_[index];
  sy_weight_desc desc{};
  desc.struct_size = sizeof desc;
  desc.dtype = static_cast<sy_dtype>(host.dtype);
  desc.rank = static_cast<std::uint32_t>(host.dims.size());
  std::ranges::fill(desc.dims, 1);
  std::ranges::copy(host.dims, desc.dims);
  desc.use = host.use;
  desc.data = host.bytes.data();
  desc.data_bytes = host.bytes.size();

  Entry entry{};
  if (auto made = device.chip().Check(
          device.api().weight_create(device.handle(), &desc, &entry.weight), "preparing a weight");
      !made) {
    return base::Rethrow(std::move(made.error()), "weight '{}' ({}, {} bytes)", host.name,
                         tensor::Name(host.dtype), host.bytes.size());
  }
  entry.properties.struct_size = sizeof entry.properties;
  if (auto read = device.chip().Check(
          device.api().weight_properties(entry.weight, &entry.properties), "describing a weight");
      !read) {
    device.api().weight_destroy(entry.weight);
    return std::unexpected(std::move(read.error()));
  }
  prepared_.emplace(key, entry);
  return entry.weight;
}

std::vector<WeightTable::Prepared> WeightTable::PreparedOn(const Device& device) const {
  std::vector<Prepared> result;
  for (const auto& [key, entry] : prepared_) {
    if (key.first == &device) result.push_back({key.second, entry.properties});
  }
  return result;
}

}  // namespace switchyard::device
