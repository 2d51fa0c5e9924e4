#include "temporary_placement.h"

#include <algorithm>

#include "ops/tensor_span.h"

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
std::vector<Lifetime> FindLifetimes(std::span<const sy_tensor> tensors, std::span<const sy_op> ops,
                                    std::uint64_t alignment) {
  constexpr std::size_t kUnused = ~std::size_t{0};
  std::vector<std::size_t> known(tensors.size(), kUnused);
  std::vector<Lifetime> lifetimes;
  const auto touch = [&](std::uint32_t tensor, std::size_t op) {
    if (tensor == SY_NO_TENSOR) return;
    const std::uint32_t root = ops::RootOf(tensors.data(), tensor);
    if (tensors[root].storage != SY_STORAGE_TEMPORARY) return;
    if (known[root] == kUnused) {
      known[root] = lifetimes.size();
      const std::uint64_t span = ops::SpanBytes(tensors[root]);
      lifetimes.push_back({root, (span + alignment - 1) / alignment * alignment, op, op, 0});
    }
    lifetimes[known[root]].last_op = op;
  };
  for (std::size_t op = 0; op < ops.size(); ++op) {
    for (const std::uint32_t tensor : ops[op].inputs) touch(tensor, op);
    for (const std::uint32_t tensor : ops[op].outputs) touch(tensor, op);
  }
  return lifetimes;
}

}  // namespace

TemporaryPlacement PlaceTemporaries(std::span<const sy_tensor> tensors, std::span<const sy_op> ops,
                                    std::uint64_t alignment) {
  TemporaryPlacement placement;
  placement.offsets.resize(tensors.size());
  std::vector<Lifetime> alive;  // by offset
  for (Lifetime& next : FindLifetimes(tensors, ops, alignment)) {
    std::erase_if(alive, [&](const Lifetime& other) { return other.last_op < next.first_op; });
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
