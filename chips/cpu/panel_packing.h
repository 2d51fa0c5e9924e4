// Turns a weight's rows as files hold them into panels that the kernels stream, and rows of panels
// back into floats for embeddings. Pure functions; any thread.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"
#include "switchyard/chip.h"

namespace switchyard::cpu {

struct WeightFormat {
  sy_dtype dtype;
  PanelFormat panel;
  const char* name;
  int block_elements;  // along K, 1 for plain numbers
  int block_bytes;
  // In panels, for each row: bytes of codes for 32 elements, and of the other sections for a block
  // of 256 or `scale_elements`. Zero where a section is absent.
  int code_bytes;
  int super_scale_bytes;
  int super_min_bytes;
  int scale_elements;
  int scale_bytes;
  int min_bytes;
};

// Null for a type that no linear takes.
const WeightFormat* FindWeightFormat(sy_dtype dtype);

// `bf16_depth` as in KernelTable.
PanelLayout LayoutPanels(const WeightFormat& format, std::int64_t k, int lanes, int bf16_depth);

// Packs rows [0, count) from `rows`, `row_bytes` apart, into one panel, count <= lanes; the other
// lanes become zero. `signed_codes` as in KernelTable.
void PackPanel(const WeightFormat& format, const PanelLayout& layout, int lanes, bool signed_codes,
               const std::uint8_t* rows, std::int64_t row_bytes, int count, std::int64_t k,
               std::uint8_t* panel);

// y[k] = one lane of a panel.
void UnpackRow(const WeightFormat& format, const PanelLayout& layout, int lanes, bool signed_codes,
               const std::uint8_t* panel, int lane, std::int64_t k, float* y);

}  // namespace switchyard::cpu
