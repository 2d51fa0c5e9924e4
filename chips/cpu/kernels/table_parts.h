// The parts of one instruction set's kernel table, each filled in by its own source.
#pragma once

#include "kernel_table.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {

// KernelTable::linear by a kernel that takes one tile.
template <void (*kOneTile)(const PanelLayout*, const uint8_t*, int, const void*, int, float*),
          int kLanesOfPanel>
void EachTile(const PanelLayout* layout, const uint8_t* weight, int panels, const void* x, int tile,
              int tiles, int64_t tile_bytes, float* out) {
  for (int i = 0; i < tiles; ++i) {
    kOneTile(layout, weight, panels, static_cast<const char*>(x) + i * tile_bytes, tile,
             out + i * panels * tile * kLanesOfPanel);
  }
}

void SetInt8Linears(KernelTable* table);
void SetFloatLinears(KernelTable* table);
void SetRowKernels(KernelTable* table);
void SetAttentionKernels(KernelTable* table);
void SetPeakKernels(KernelTable* table);

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
