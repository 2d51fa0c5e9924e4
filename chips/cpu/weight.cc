// Weights: checked, then packed into panels by the whole team.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>

#include "device.h"

namespace switchyard::cpu {
namespace {

// Panels are independent, so each unit of the one stage is one.
class PackingJob : public Job {
 public:
  PackingJob(sy_weight& weight, const std::uint8_t* from) : weight_(weight), from_(from) {}

  int stage_count() const override { return 1; }
  std::int64_t Open(int) override { return weight_.matrices * weight_.panels; }
  void Run(int, std::int64_t begin, std::int64_t end, int) override {
    const KernelTable& kernels = *weight_.device->kernels;
    const WeightFormat& format = *weight_.format;
    const std::int64_t row_bytes = weight_.k / format.block_elements * format.block_bytes;
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t matrix = unit / weight_.panels;
      const std::int64_t row = unit % weight_.panels * kernels.lanes;
      const auto count =
          static_cast<int>(std::min<std::int64_t>(kernels.lanes, weight_.rows - row));
      PackPanel(format, weight_.layout, kernels.lanes, kernels.signed_codes != 0,
                from_ + (matrix * weight_.rows + row) * row_bytes, row_bytes, count, weight_.k,
                reinterpret_cast<std::uint8_t*>(weight_.memory.data()) +
                    unit * weight_.layout.panel_bytes);
    }
  }

 private:
  sy_weight& weight_;
  const std::uint8_t* from_;
};

Result<std::uint64_t> CheckedBytes(const sy_weight_desc& desc, const WeightFormat& format) {
  if (desc.rank < 1 || desc.rank > 3) {
    return Fail(SY_INVALID_ARGUMENT, "a weight of rank %u; the cpu chip takes 1 to 3", desc.rank);
  }
  constexpr std::int64_t kLimit = std::int64_t{1} << 46;  // elements; far above any memory
  std::int64_t elements = 1;
  for (std::uint32_t i = 0; i < desc.rank; ++i) {
    if (desc.dims[i] < 1 || desc.dims[i] > kLimit / elements) {
      return Fail(SY_INVALID_ARGUMENT, "a weight's dimension %u is %lld, which is not usable", i,
                  static_cast<long long>(desc.dims[i]));
    }
    elements *= desc.dims[i];
  }
  const std::int64_t k = desc.dims[static_cast<std::size_t>(desc.rank) - 1];
  if (k % format.block_elements != 0) {
    return Fail(SY_INVALID_ARGUMENT, "rows of %lld elements do not fill blocks of %d of %s",
                static_cast<long long>(k), format.block_elements, format.name);
  }
  const auto bytes = static_cast<std::uint64_t>(elements / format.block_elements) *
                     static_cast<std::uint64_t>(format.block_bytes);
  if (desc.data == nullptr || desc.data_bytes != bytes) {
    return Fail(SY_INVALID_ARGUMENT, "a weight of %llu bytes of %s was given %llu",
                static_cast<unsigned long long>(bytes), format.name,
                static_cast<unsigned long long>(desc.data == nullptr ? 0 : desc.data_bytes));
  }
  return bytes;
}

const char* ActivationName(ActivationKind kind) {
  switch (kind) {
    case kActivationInt15:
      return "int15 by 32";
    case kActivationBF16:
      return "bf16";
    default:
      return "f32";
  }
}

}  // namespace

ActivationKind ActivationOf(const KernelTable& kernels, PanelFormat format) {
  if (format == kPanelF32 || format == kPanelF16) return kActivationF32;
  if (format == kPanelBF16) return kernels.bf16_dot != 0 ? kActivationBF16 : kActivationF32;
  return kActivationInt15;
}

Result<std::unique_ptr<sy_weight>> CreateWeight(sy_device* device, const sy_weight_desc& desc) {
  const WeightFormat* format = FindWeightFormat(desc.dtype);
  if (format == nullptr) {
    return Fail(SY_UNIMPLEMENTED, "the cpu chip has no weights of type %u", desc.dtype);
  }
  const auto bytes = CheckedBytes(desc, *format);
  if (!bytes) return std::unexpected(bytes.error());
  auto weight = std::make_unique<sy_weight>();
  weight->device = device;
  weight->dtype = desc.dtype;
  weight->rank = desc.rank;
  std::copy_n(desc.dims, desc.rank, weight->dims);
  weight->format = format;
  weight->is_vector = desc.rank == 1;
  weight->k = *(desc.dims + desc.rank - 1);
  weight->rows = desc.rank >= 2 ? weight->dims[desc.rank - 2] : 1;
  weight->matrices = desc.rank == 3 ? desc.dims[0] : 1;
  if (weight->is_vector) {
    if (desc.dtype != SY_F32) {
      return Fail(SY_INVALID_ARGUMENT, "a vector weight is of type %s; convert it to f32",
                  format->name);
    }
    auto memory = device->weight_memory.Allocate(*bytes);
    if (!memory) return std::unexpected(memory.error());
    weight->memory = std::move(*memory);
    std::memcpy(weight->memory.data(), desc.data, *bytes);
    return weight;
  }
  const int lanes = device->kernels->lanes;
  weight->layout = LayoutPanels(*format, weight->k, lanes, device->kernels->bf16_depth);
  weight->panels = (weight->rows + lanes - 1) / lanes;
  const std::int64_t count = weight->panels * weight->matrices;
  if (count > std::numeric_limits<std::int64_t>::max() / weight->layout.panel_bytes) {
    return Fail(SY_RESOURCE_EXHAUSTED, "a weight of more than 63 bits of bytes");
  }
  auto memory = device->weight_memory.Allocate(
      static_cast<std::uint64_t>(count * weight->layout.panel_bytes));
  if (!memory) return std::unexpected(memory.error());
  weight->memory = std::move(*memory);
  PackingJob job(*weight, static_cast<const std::uint8_t*>(desc.data));
  device->team->Run(job);
  return weight;
}

void DescribeWeight(const sy_weight& weight, sy_weight_properties* properties) {
  properties->memory_bytes = weight.memory.size();
  if (weight.is_vector) {
    properties->read_bytes = weight.memory.size();
    std::snprintf(properties->layout, sizeof(properties->layout), "f32 vector");
    return;
  }
  properties->read_bytes = static_cast<std::uint64_t>(weight.panels) *
                           static_cast<std::uint64_t>(weight.layout.panel_bytes);
  const KernelTable& kernels = *weight.device->kernels;
  std::snprintf(properties->layout, sizeof(properties->layout), "%s, %d-row panels; activations %s",
                weight.format->name, kernels.lanes,
                ActivationName(ActivationOf(kernels, weight.format->panel)));
}

}  // namespace switchyard::cpu
