#include "weight_layout.h"

#include <algorithm>
#include <cstring>

#include "tensor/dtype.h"

namespace switchyard::simt {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::int64_t kMostElements = std::int64_t{1} << 46;
constexpr std::int64_t kPlainBlock = 32;  // kernels take plain numbers in chunks of 32 as well

// Bytes before a block's codes that are moved behind them, so that the codes begin at a word.
std::size_t LeadingBytes(sy_dtype dtype) {
  switch (dtype) {
    case SY_Q4_0:
    case SY_Q5_0:
    case SY_Q8_0:
    case SY_IQ4_NL:
      return 2;
    case SY_MXFP4:
      return 1;
    default:
      return 0;
  }
}

bool IsWeightType(sy_dtype dtype) {
  return dtype <= SY_BF16 || (dtype >= SY_Q4_0 && dtype <= SY_MXFP4);
}

}  // namespace

base::Result<WeightShape> ShapeOf(const sy_weight_desc& desc) {
  if (!IsWeightType(desc.dtype)) {
    return Fail(ErrorCode::kInvalidArgument, "there are no weights of type {}", desc.dtype);
  }
  if (desc.rank < 1 || desc.rank > 3) {
    return Fail(ErrorCode::kInvalidArgument, "a weight of rank {}; ranks are 1 to 3", desc.rank);
  }
  WeightShape shape{desc.dtype, desc.rank, {1, 1, 1, 1}};
  const tensor::DTypeTraits& traits = tensor::Traits(static_cast<tensor::DType>(desc.dtype));
  std::int64_t elements = 1;
  for (std::uint32_t i = 0; i < desc.rank; ++i) {
    if (desc.dims[i] < 1 || desc.dims[i] > kMostElements / elements) {
      return Fail(ErrorCode::kInvalidArgument, "dimension {} of a weight is {}", i, desc.dims[i]);
    }
    elements *= desc.dims[i];
    shape.dims[i] = desc.dims[i];
  }
  if (shape.row_elements() % traits.block_elements != 0) {
    return Fail(ErrorCode::kInvalidArgument, "rows of {} elements are no whole blocks of {}",
                shape.row_elements(), traits.block_elements);
  }
  if (shape.is_vector() && shape.dtype != SY_F32) {
    return Fail(ErrorCode::kInvalidArgument, "a weight of rank 1 must be F32, not type {}",
                desc.dtype);
  }
  const auto bytes =
      static_cast<std::uint64_t>(elements / traits.block_elements * traits.block_bytes);
  if (desc.data == nullptr || desc.data_bytes != bytes) {
    return Fail(ErrorCode::kInvalidArgument, "a weight of {} bytes comes with {}", bytes,
                desc.data == nullptr ? 0 : desc.data_bytes);
  }
  return shape;
}

WeightLayout LayoutOf(const WeightShape& shape) {
  const tensor::DTypeTraits& traits = tensor::Traits(static_cast<tensor::DType>(shape.dtype));
  const std::int64_t inner = shape.row_elements();
  WeightLayout layout;
  layout.block_elements = std::max<std::int64_t>(traits.block_elements, kPlainBlock);
  layout.block_bytes = layout.block_elements / traits.block_elements * traits.block_bytes;
  layout.blocks = (inner + layout.block_elements - 1) / layout.block_elements;
  layout.panels = (shape.rows() + kPanelRows - 1) / kPanelRows;
  layout.source_row_bytes =
      static_cast<std::uint64_t>(inner / traits.block_elements * traits.block_bytes);
  layout.panel_bytes = static_cast<std::uint64_t>(layout.blocks * layout.block_bytes * kPanelRows);
  layout.matrix_bytes = layout.panel_bytes * static_cast<std::uint64_t>(layout.panels);
  layout.total_bytes = layout.matrix_bytes * static_cast<std::uint64_t>(shape.matrices());
  return layout;
}

void PackPanels(const WeightShape& shape, const WeightLayout& layout, const void* source,
                std::int64_t first, std::int64_t count, std::span<std::byte> to) {
  std::ranges::fill(to, std::byte{0});
  const auto block_bytes = static_cast<std::size_t>(layout.block_bytes);
  const std::size_t words = block_bytes / 4;
  const std::size_t tail = block_bytes % 4;
  const std::size_t leading = LeadingBytes(shape.dtype);
  const auto panel_rows = static_cast<std::size_t>(kPanelRows);
  std::byte block[256];
  for (std::int64_t index = first; index < first + count; ++index) {
    std::byte* const panel =
        to.data() + static_cast<std::uint64_t>(index - first) * layout.panel_bytes;
    const std::int64_t matrix = index / layout.panels;
    const std::int64_t first_row = index % layout.panels * kPanelRows;
    const std::int64_t rows = std::min(kPanelRows, shape.rows() - first_row);
    for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
      const auto row =
          static_cast<std::uint64_t>(matrix * shape.rows() + first_row) + std::uint64_t{r};
      const auto* from = static_cast<const std::byte*>(source) + row * layout.source_row_bytes;
      std::size_t left = layout.source_row_bytes;
      for (std::size_t b = 0; b < static_cast<std::size_t>(layout.blocks); ++b) {
        const std::size_t here = std::min(left, block_bytes);  // less for a row's last numbers
        std::memset(block, 0, block_bytes);
        std::memcpy(block, from + leading, here - leading);
        std::memcpy(block + here - leading, from, leading);
        std::byte* const cell = panel + b * block_bytes * panel_rows;
        for (std::size_t j = 0; j < words; ++j) {
          std::memcpy(cell + (j * panel_rows + r) * 4, block + j * 4, 4);
        }
        std::memcpy(cell + words * 4 * panel_rows + r * tail, block + words * 4, tail);
        from += here;
        left -= here;
      }
    }
  }
}

}  // namespace switchyard::simt
