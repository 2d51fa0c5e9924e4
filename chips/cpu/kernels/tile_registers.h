// The processor's eight tile registers (Intel AMX): two-dimensional, up to 16 rows of 64 bytes, and
// multiplied with one another. SY_TILES says that this instruction set has them. An object holds
// the calling thread's registers in one configuration for as long as it lives, so there may be one
// in a thread at a time.
#pragma once

#include <stdint.h>

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {

// LDTILECFG's operand.
struct alignas(64) TileConfig {
  uint8_t palette;
  uint8_t start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA

#if defined(SWITCHYARD_CPU_EMULATED_TILES)
#define SY_TILES 1
#include "tile_model.h"

#elif defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AMX_BF16__)
#define SY_TILES 1

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {

// In assembler, since g++ 12's intrinsics tell the compiler neither that a tile load reads memory
// nor that all 64 bytes of a configuration are read, and stores before them may go missing.
class TileRegisters {
 public:
  explicit TileRegisters(const TileConfig& config) {
    asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }
  // Idle tiles would cost every switch of threads 8 KiB.
  ~TileRegisters() { asm volatile("tilerelease" : : : "memory"); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;

  template <int kTile>
  void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  // Rows lie `stride` bytes apart.
  template <int kTile>
  void Load(const void* from, int64_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(kTile), "r"(from), "r"(stride) : "memory");
  }
  template <int kTile>
  void Store(void* to, int64_t stride) const {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(kTile), "r"(to), "r"(stride) : "memory");
  }
  // kSums[m][n] += sum over i of kSigned[m][i] * kUnsigned[i / 4][n][i % 4], the factors bytes.
  template <int kSums, int kSigned, int kUnsigned>
  void MultiplyAdd() {
    asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(kSums), "i"(kSigned), "i"(kUnsigned));
  }
  // kSums[m][n] += sum over i of kLeft[m][i] * kRight[i / 2][n][i % 2], the factors BF16 and the
  // sums floats: even and odd i apart, each by multiply-adds from 0; subnormal numbers are zeros.
  template <int kSums, int kLeft, int kRight>
  void MultiplyAddBF16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(kSums), "i"(kLeft), "i"(kRight));
  }
};

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
#endif
