// Which bytes an operation touches, precisely enough to tell when two operations may share a stage.
#pragma once

#include <cstdint>
#include <vector>

#include "operand.h"

namespace switchyard::cpu {

struct Access {
  std::uint32_t root = kNoRoot;
  bool is_write = false;
  // Row t of the operation touches row t of this and nothing else.
  bool is_by_row = false;
  std::int64_t rows = 1;
  std::int64_t stride = 0;  // of rows, in bytes
  std::int64_t begin = 0;   // of the first row, in bytes from the root's start
  std::int64_t row_extent = 0;

  static Access Of(const Operand& operand, bool is_write, bool is_by_row);
  // A root that the planner made, all of it.
  static Access Whole(std::uint32_t root, std::int64_t bytes, bool is_write);
};

using Accesses = std::vector<Access>;

// One writes what the other touches.
bool Conflict(const Accesses& a, const Accesses& b);
// Every conflict between them is within equal rows.
bool ConflictByRowOnly(const Accesses& a, const Accesses& b);

}  // namespace switchyard::cpu
