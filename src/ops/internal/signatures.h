// What each operation reads and writes, as a table: chip.h's list of operations in checkable form.
// Part of Validate.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "switchyard/chip.h"

namespace switchyard::ops::internal {

// What may stand in one place of an operation.
enum class Kind : std::uint8_t {
  kActivation,       // F32, F16 or BF16; one type within the operation; not a weight
  kOtherActivation,  // F32, F16 or BF16 of its own type; not a weight
  kF32,              // F32; not a weight
  kI32,              // I32; not a weight
  kHostI32,          // I32 argument, as its binding carries a host copy
  kPages,            // F32, F16 or BF16 argument, dense, used for nothing but pages
  kWeight,           // a weight of any type that can be multiplied
  kF32Weight,        // a weight of type F32
  kAny,              // any type that is not quantised; not a weight
};

struct Place {
  std::string_view name;
  // A letter for each dim, outermost first; a letter means the same number wherever it stands. "*"
  // is any dims, the same ones wherever it stands. The letters are chip.h's, and:
  //   e: dv; h: inv_freq's count, r/2; s: query_start's count, B + 1
  std::string_view dims;
  Kind kind;
  bool is_optional = false;
};

enum Attribute : std::uint32_t {
  kNone = 0,
  kScale = 1U << 0,
  kEps = 1U << 1,
  kSoftcap = 1U << 2,
  kWindow = 1U << 3,
  kActivationKind = 1U << 4,
  kScoring = 1U << 5,
  kInterleaved = 1U << 6,
  kRenormalise = 1U << 7,
};

struct Signature {
  sy_op_kind kind;
  std::span<const Place> inputs;
  std::span<const Place> outputs;
  std::uint32_t attributes;          // or-ed; all others must hold their neutral value
  std::int32_t in_place_input = -1;  // the input that output 0 may share memory with
};

// Null for a number that is no operation. GROUPED_LINEAR has two forms, told apart by x's rank.
const Signature* FindSignature(sy_op_kind kind, std::uint32_t first_input_rank);

}  // namespace switchyard::ops::internal
