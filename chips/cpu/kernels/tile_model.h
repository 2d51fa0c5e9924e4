// The tile registers in plain C++, for tests on machines without them; no chip ships it. Written
// from the operation sections of LDTILECFG, TILERELEASE, TILEZERO, TILELOADD, TILESTORED, TDPBSUD
// and TDPBF16PS in volume 2 of Intel's Software Developer's Manual, for palette 1. What the
// processor answers with a fault ends the program.
#pragma once

#include <stdint.h>

#include "tile_registers.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {

class TileRegisters {
 public:
  explicit TileRegisters(const TileConfig& config) {
    Require(config.palette <= 1);
    if (config.palette == 0) return;
    for (const uint8_t byte : config.reserved) Require(byte == 0);
    for (int i = 0; i < 16; ++i) {
      const int row_bytes = config.row_bytes[i];
      const int rows = config.rows[i];
      Require((row_bytes == 0) == (rows == 0));
      if (i >= kTiles) {
        Require(rows == 0);
        continue;
      }
      Require(row_bytes <= kRowBytes && rows <= kRows);
      tiles_[i].row_bytes = row_bytes;
      tiles_[i].rows = rows;
    }
    start_row_ = config.start_row;
  }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;

  template <int kTile>
  void Zero() {
    ClearRows(Valid<kTile>(), 0);
    start_row_ = 0;
  }

  template <int kTile>
  void Load(const void* from, int64_t stride) {
    Tile& tile = Valid<kTile>();
    const auto* memory = static_cast<const uint8_t*>(from);
    for (int row = start_row_; row < tile.rows; ++row) {
      for (int i = 0; i < tile.row_bytes; ++i) tile.bytes[row][i] = memory[row * stride + i];
      ClearRow(tile, row, tile.row_bytes);
    }
    ClearRows(tile, tile.rows);
    start_row_ = 0;
  }

  template <int kTile>
  void Store(void* to, int64_t stride) {
    const Tile& tile = Valid<kTile>();
    auto* memory = static_cast<uint8_t*>(to);
    for (int row = start_row_; row < tile.rows; ++row) {
      for (int i = 0; i < tile.row_bytes; ++i) memory[row * stride + i] = tile.bytes[row][i];
    }
    start_row_ = 0;
  }

  template <int kSums, int kSigned, int kUnsigned>
  void MultiplyAdd() {
    static_assert(kSums != kSigned && kSums != kUnsigned && kSigned != kUnsigned);
    Tile& sums = Valid<kSums>();
    const Tile& a = Valid<kSigned>();
    const Tile& b = Valid<kUnsigned>();
    RequireFit(sums, a, b);
    for (int m = 0; m < sums.rows; ++m) {
      for (int k = 0; k < a.row_bytes / 4; ++k) {
        for (int n = 0; n < sums.row_bytes / 4; ++n) {
          uint32_t sum = ReadWord(&sums.bytes[m][n * 4]);
          for (int i = 0; i < 4; ++i) {
            const auto signed_byte = static_cast<int8_t>(a.bytes[m][k * 4 + i]);
            sum += static_cast<uint32_t>(int32_t{signed_byte} * int32_t{b.bytes[k][n * 4 + i]});
          }
          WriteWord(&sums.bytes[m][n * 4], sum);
        }
      }
      ClearRow(sums, m, sums.row_bytes);
    }
    ClearRows(sums, sums.rows);
    start_row_ = 0;
  }

  template <int kSums, int kLeft, int kRight>
  void MultiplyAddBF16() {
    static_assert(kSums != kLeft && kSums != kRight && kLeft != kRight);
    Tile& sums = Valid<kSums>();
    const Tile& a = Valid<kLeft>();
    const Tile& b = Valid<kRight>();
    RequireFit(sums, a, b);
    for (int m = 0; m < sums.rows; ++m) {
      for (int n = 0; n < sums.row_bytes / 4; ++n) {
        float parts[2] = {};
        for (int k = 0; k < a.row_bytes / 4; ++k) {
          for (int i = 0; i < 2; ++i) {
            const float x = ReadBF16(&a.bytes[m][k * 4 + i * 2]);
            const float y = ReadBF16(&b.bytes[k][n * 4 + i * 2]);
            parts[i] = Flushed(__builtin_fmaf(x, y, parts[i]));
          }
        }
        const float before = Flushed(AsFloat(ReadWord(&sums.bytes[m][n * 4])));
        const float sum = Flushed(before + Flushed(parts[0] + parts[1]));
        uint32_t word;
        __builtin_memcpy(&word, &sum, sizeof(word));
        WriteWord(&sums.bytes[m][n * 4], word);
      }
      ClearRow(sums, m, sums.row_bytes);
    }
    ClearRows(sums, sums.rows);
    start_row_ = 0;
  }

 private:
  static constexpr int kTiles = 8;
  static constexpr int kRows = 16;
  static constexpr int kRowBytes = 64;

  struct Tile {
    int rows = 0;
    int row_bytes = 0;
    uint8_t bytes[kRows][kRowBytes] = {};
  };

  static void Require(bool holds) {
    if (!holds) __builtin_trap();
  }
  static void RequireFit(const Tile& sums, const Tile& a, const Tile& b) {
    Require(sums.row_bytes % 4 == 0 && a.row_bytes % 4 == 0 && b.row_bytes % 4 == 0);
    Require(a.rows == sums.rows && b.row_bytes == sums.row_bytes && a.row_bytes / 4 == b.rows);
  }
  static float AsFloat(uint32_t word) {
    float value;
    __builtin_memcpy(&value, &word, sizeof(value));
    return value;
  }
  // Subnormal numbers become zeros of their sign.
  static float Flushed(float value) {
    const bool is_subnormal = __builtin_fabsf(value) < 0x1p-126F;
    return is_subnormal ? __builtin_copysignf(0.0F, value) : value;
  }
  static float ReadBF16(const uint8_t* bytes) {
    uint16_t half;
    __builtin_memcpy(&half, bytes, sizeof(half));
    return Flushed(AsFloat(static_cast<uint32_t>(half) << 16));
  }
  static uint32_t ReadWord(const uint8_t* bytes) {
    uint32_t word;
    __builtin_memcpy(&word, bytes, sizeof(word));
    return word;
  }
  static void WriteWord(uint8_t* bytes, uint32_t word) {
    __builtin_memcpy(bytes, &word, sizeof(word));
  }
  // Row `row` from byte `from` on.
  __attribute__((noinline)) static void ClearRow(Tile& tile, int row, int from) {
    for (int i = from; i < kRowBytes; ++i) tile.bytes[row][i] = 0;
  }
  // The rows that the configuration does not name.
  static void ClearRows(Tile& tile, int from) {
    for (int row = from; row < kRows; ++row) ClearRow(tile, row, 0);
  }

  template <int kTile>
  Tile& Valid() {
    static_assert(kTile >= 0 && kTile < kTiles);
    Require(tiles_[kTile].rows != 0);
    return tiles_[kTile];
  }

  Tile tiles_[kTiles];
  int start_row_ = 0;
};

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
