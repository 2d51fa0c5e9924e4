// One instruction set's kernel table, put together.
#include "simd.h"
#include "table_parts.h"

#define SY_STRING_INNER(x) #x
#define SY_STRING(x) SY_STRING_INNER(x)

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {

namespace {

KernelTable Make() {
  KernelTable table = {};
  table.name = SY_STRING(SWITCHYARD_CPU_ISA);
  table.lanes = kLanes;
  SetInt8Linears(&table);
  SetFloatLinears(&table);
  SetRowKernels(&table);
  SetAttentionKernels(&table);
  SetPeakKernels(&table);
  return table;
}

}  // namespace

const KernelTable* Kernels() {
  static const KernelTable table = Make();
  return &table;
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
