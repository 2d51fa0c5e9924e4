// The instruction sets that the kernels are compiled for, and which of them this machine has.
#pragma once

#include <span>
#include <string_view>

#include "kernels/kernel_table.h"
#include "switchyard/chip.h"

namespace switchyard::cpu {

struct Variant {
  const char* name;
  const KernelTable* (*kernels)();
  bool (*is_supported)();
  sy_proof proof;  // where its kernels have been seen to run
};

// Best first.
std::span<const Variant> Variants();
// The best that this machine has, or the one named if it has it; else null.
const Variant* FindVariant(std::string_view name);
const Variant& BestVariant();

}  // namespace switchyard::cpu
