#include "kit/temporary_placement.h"

#include <algorithm>

#include "kit/element_types.h"

namespace switchyard::chips {
namespace {

// A temporary from the operation that first touches it to the one that last does.
struct Lifetime {
  std::uint32_t tensor = 0;
  std::uint64_t bytes = 0;
  std::size_t first_op = 0;
  std::size_t last_op = 0;
  std::uint64_t offset = 0;
};

// In the order of first use.
std::vector<Lifetime> FindLifetimes(const sy_program_desc& desc, std::uint64_t alignment) {
  constexpr std::size_t kUnused = ~std::size_t{0};
  std::vector<std::size_t> known(desc.tensor_count, kUnused);
  std::vector<Lifetime> lifetimes;
  const auto touch = [&](std::uint32_t tensor, std::size_t op) {
    if (tensor == SY_NO_TENSOR) return;
    const sy_tensor& touched = desc.tensors[tensor];
    const std::uint32_t root = touched.storage == SY_STORAGE_VIEW ? touched.base : tensor;
    if (desc.tensors[root].storage != SY_STORAGE_TEMPORARY) return;
    if (known[root] == kUnused) {
      known[root] = lifetimes.size();
      const std::uint64_t span = SpanBytes(desc.tensors[root]);
      lifetimes.push_back({root, (span + alignment - 1) / alignment * alignment, op, op, 0});
    }
    lifetimes[known[root]].last_op = op;
  };
  for (std::size_t op = 0; op < desc.op_count; ++op) {
    for (const std::uint32_t tensor : desc.ops[op].inputs) touch(tensor, op);
    for (const std::uint32_t tensor : desc.ops[op].outputs) touch(tensor, op);
  }
  return lifetimes;
}

}  // namespace

TemporaryPlacement PlaceTemporaries(const sy_program_desc& desc, std::uint64_t alignment) {
  TemporaryPlacement placement;
  placement.offsets.resize(desc.tensor_count);
  std::vector<Lifetime> alive;  // by offset
  for (Lifetime& next : FindLifetimes(desc, alignment)) {
    alive.erase(
        std::remove_if(alive.begin(), alive.end(),
                       [&](const Lifetime& other) { return other.last_op < next.first_op; }),
        alive.end());
    // The first gap that is large enough.
    const auto* after = alive.data();
    for (; after != alive.data() + alive.size(); ++after) {
      if (after->offset >= next.offset + next.bytes) break;
      next.offset = after->offset + after->bytes;
    }
    placement.offsets[next.tensor] = next.offset;
    placement.workspace_bytes = std::max(placement.workspace_bytes, next.offset + next.bytes);
    alive.insert(alive.begin() + (after - alive.data()), next);
  }
  return placement;
}

}  // namespace switchyard::chips
