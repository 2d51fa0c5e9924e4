#include "access.h"

namespace switchyard::cpu {
namespace {

std::int64_t End(const Access& a) { return a.begin + (a.rows - 1) * a.stride + a.row_extent; }

// Where a row begins within the stride that holds all of it; -1 if it crosses into the next.
std::int64_t Column(const Access& a) {
  if (a.stride <= 0) return -1;
  const std::int64_t column = a.begin % a.stride;
  return column + a.row_extent <= a.stride ? column : -1;
}

bool Touch(const Access& a, const Access& b) {
  if (a.root != b.root || (!a.is_write && !b.is_write)) return false;
  if (a.begin >= End(b) || b.begin >= End(a)) return false;
  if (a.stride != b.stride) return true;
  // The same rows in different columns, as the parts of a fused result.
  const std::int64_t column_a = Column(a);
  const std::int64_t column_b = Column(b);
  if (column_a < 0 || column_b < 0) return true;
  return column_a < column_b + b.row_extent && column_b < column_a + a.row_extent;
}

bool AreSameRows(const Access& a, const Access& b) {
  if (!a.is_by_row || !b.is_by_row || a.rows != b.rows) return false;
  if (a.rows == 1) return true;
  return a.stride == b.stride && Column(a) >= 0 && Column(b) >= 0 &&
         a.begin / a.stride == b.begin / b.stride;
}

}  // namespace

Access Access::Of(const Operand& operand, bool is_write, bool is_by_row) {
  Access access;
  access.root = operand.root;
  access.is_write = is_write;
  access.is_by_row = is_by_row;
  access.rows = operand.rows();
  access.stride = operand.row_stride();
  access.begin = operand.offset;
  access.row_extent = operand.row_extent();
  return access;
}

Access Access::Whole(std::uint32_t root, std::int64_t bytes, bool is_write) {
  Access access;
  access.root = root;
  access.is_write = is_write;
  access.row_extent = bytes;
  return access;
}

bool Conflict(const Accesses& a, const Accesses& b) {
  for (const Access& x : a) {
    for (const Access& y : b) {
      if (Touch(x, y)) return true;
    }
  }
  return false;
}

bool ConflictByRowOnly(const Accesses& a, const Accesses& b) {
  for (const Access& x : a) {
    for (const Access& y : b) {
      if (Touch(x, y) && !AreSameRows(x, y)) return false;
    }
  }
  return true;
}

}  // namespace switchyard::cpu
