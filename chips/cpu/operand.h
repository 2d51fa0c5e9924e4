// The tensors of one program description, checked and resolved: where each lies and how its rows
// are addressed. Made from bytes that the host gave, so nothing here trusts them.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "status.h"
#include "switchyard/chip.h"

namespace switchyard::cpu {

// A root is memory of its own: a temporary, an argument slot or a weight. Views have their base's.
inline constexpr std::uint32_t kNoRoot = 0xffffffffU;

struct Operand {
  sy_dtype dtype = SY_F32;
  std::uint32_t rank = 0;
  std::int64_t dims[SY_MAX_RANK] = {1, 1, 1, 1};
  std::int64_t strides[SY_MAX_RANK] = {0, 0, 0, 0};
  std::uint32_t root = kNoRoot;
  std::int64_t offset = 0;  // bytes from the root's start
  const sy_weight* weight = nullptr;
  bool is_weight = false;

  std::int64_t rows() const { return rank <= 1 ? 1 : dims[0]; }
  // Elements of one row, whose outer dimension is the first of several.
  std::int64_t row_elements() const;
  std::int64_t row_stride() const { return rank <= 1 ? 0 : strides[0]; }
  // Bytes from the operand's start to one past its last element.
  std::int64_t extent() const;
  std::int64_t row_extent() const;
  // Each row is one dense run.
  bool has_dense_rows() const;
  bool is_activation() const { return dtype == SY_F32 || dtype == SY_F16 || dtype == SY_BF16; }
  bool has_dims_of(const Operand& other) const;
};

enum class RootKind { kTemporary, kArgument, kWeight };

struct Root {
  RootKind kind = RootKind::kTemporary;
  std::uint32_t slot = 0;
  std::int64_t bytes = 0;  // that the program touches
};

struct Operands {
  std::vector<Operand> tensors;
  std::vector<Root> roots;
  std::uint32_t slot_count = 0;
};

// Fails, naming the tensor, unless every tensor is well-formed.
Result<Operands> ResolveTensors(const sy_program_desc& desc);

// Element i of an array whose elements are as large as the host compiled them.
const sy_op& OpAt(const sy_program_desc& desc, std::uint32_t index);
const sy_tensor& TensorAt(const sy_program_desc& desc, std::uint32_t index);

std::int64_t ElementBytes(sy_dtype dtype);  // of plain numbers; 0 otherwise
ElementType ElementTypeOf(sy_dtype dtype);  // of activations

}  // namespace switchyard::cpu
