// One row of a quantised weight as GGUF files hold it, taken apart into one code a byte and the
// scales beside them. The block layouts are those of the GGUF specification.
#pragma once

#include <cstdint>

#include "panel_packing.h"

namespace switchyard::cpu {

// Arrays as long as the row needs: codes k, super_* k / 256, scale and min k / scale_elements of
// scale_bytes and min_bytes each. Absent sections may be null.
struct RowCodes {
  std::uint8_t* codes;
  std::uint8_t* super_scale;
  std::uint8_t* super_min;
  std::uint8_t* scale;
  std::uint8_t* min;
};

void TakeApart(PanelFormat format, const std::uint8_t* row, std::int64_t k, const RowCodes& to);

}  // namespace switchyard::cpu
