// The parts of one instruction set's kernel table, each filled in by its own source.
#pragma once

#include "kernel_table.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {

void SetInt8Linears(KernelTable* table);
void SetFloatLinears(KernelTable* table);
void SetRowKernels(KernelTable* table);
void SetAttentionKernels(KernelTable* table);
void SetPeakKernels(KernelTable* table);

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
