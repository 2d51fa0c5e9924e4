// Pages of the KV cache between this chip's layout and the chip-neutral one.
//
// Inside, keys lie [G][P / 16][d][16] and values [G][P][dv].
#pragma once

#include <cstdint>

#include "status.h"
#include "switchyard/chip.h"

namespace switchyard::cpu {

Status ExportPage(sy_kv_part part, const sy_tensor* pages, const sy_binding* binding,
                  std::uint32_t page, char* to);
Status ImportPage(sy_kv_part part, const sy_tensor* pages, const sy_binding* binding,
                  std::uint32_t page, const char* from);

}  // namespace switchyard::cpu
