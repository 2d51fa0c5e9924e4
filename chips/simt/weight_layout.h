// How weights lie in a SIMT device's memory: in panels of rows whose words are interleaved, as
// kernels/blocks.cl reads them. Pure functions; safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "switchyard/chip.h"

namespace switchyard::simt {

inline constexpr std::int64_t kPanelRows = 32;

// A weight as its maker described it. Vectors (rank 1) are plain floats on the device.
struct WeightShape {
  sy_dtype dtype = SY_F32;
  std::uint32_t rank = 0;
  std::int64_t dims[SY_MAX_RANK] = {1, 1, 1, 1};

  bool is_vector() const { return rank == 1; }
  std::int64_t matrices() const { return rank == 3 ? dims[0] : 1; }
  std::int64_t rows() const { return rank == 3 ? dims[1] : dims[0]; }  // of each matrix
  std::int64_t row_elements() const { return dims[rank - 1]; }
  bool operator==(const WeightShape&) const = default;
};

struct WeightLayout {
  std::int64_t block_elements = 0;  // as kernels see blocks: numbers come in blocks of 32
  std::int64_t block_bytes = 0;
  std::int64_t blocks = 0;  // of a row, the last one padded with zeros
  std::int64_t panels = 0;  // of a matrix
  std::uint64_t source_row_bytes = 0;
  std::uint64_t panel_bytes = 0;
  std::uint64_t matrix_bytes = 0;
  std::uint64_t total_bytes = 0;
};

// Checks type, rank, dims and the number of bytes.
base::Result<WeightShape> ShapeOf(const sy_weight_desc& desc);

// The shape must be a good one, not a vector.
WeightLayout LayoutOf(const WeightShape& shape);

// Writes panels [first, first + count) of the whole weight, counted through all its matrices, to
// `to`, which holds count * panel_bytes.
void PackPanels(const WeightShape& shape, const WeightLayout& layout, const void* source,
                std::int64_t first, std::int64_t count, std::span<std::byte> to);

}  // namespace switchyard::simt
