// A stage of a program: work that may run in any order and on any thread once the stages before it
// are done. Made by the planner, run by program.cc through the team; runs of a device take turns,
// so a stage may keep what it works out in Open for its own Run.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "kernels/kernel_table.h"
#include "operand.h"
#include "status.h"

namespace switchyard::cpu {

// One run of a program.
class RunContext {
 public:
  const KernelTable* kernels = nullptr;
  int threads = 1;
  std::vector<char*> bases;              // of each root
  std::vector<const char*> host_copies;  // of each root, or null
  const std::vector<Root>* roots = nullptr;
  char* scratch = nullptr;
  std::int64_t scratch_bytes = 0;  // of each thread

  char* At(const Operand& operand) const { return bases[operand.root] + operand.offset; }
  char* At(const Operand& operand, std::int64_t row) const {
    return At(operand) + row * operand.row_stride();
  }
  const std::int32_t* Index(const Operand& operand) const {
    return reinterpret_cast<const std::int32_t*>(At(operand));
  }
  // The host's copy of an index tensor if it gave one: the same contents.
  const std::int32_t* HostIndex(const Operand& operand) const {
    const char* copy = host_copies[operand.root];
    if (copy == nullptr) return Index(operand);
    return reinterpret_cast<const std::int32_t*>(copy + operand.offset);
  }
  // Bound before the run, so that its contents can be checked before anything runs.
  bool is_argument(const Operand& operand) const {
    return (*roots)[operand.root].kind == RootKind::kArgument;
  }
  char* Scratch(int thread) const { return scratch + thread * scratch_bytes; }

  // Keeps the first failure; any thread.
  void NoteFailure(Error error);
  Status failure() const;

 private:
  mutable std::mutex mutex_;
  Error failure_ = {SY_OK, {}};
};

class Stage {
 public:
  virtual ~Stage() = default;
  // What can be checked before anything runs: indices in arguments.
  virtual Status Check(const RunContext&) const { return {}; }
  virtual std::int64_t Open(RunContext& context) = 0;
  virtual void Run(RunContext& context, std::int64_t begin, std::int64_t end, int thread) = 0;
  virtual std::int64_t scratch_bytes() const { return 0; }
};

// Rows of activations in the kernels' tiles. The last tile is as wide as the kernels have code for.
struct PackedRows {
  std::uint32_t root = kNoRoot;
  ActivationKind kind = kActivationF32;
  std::int64_t rows = 0;
  std::int64_t k = 0;
  std::int64_t padded_k = 0;

  static int TileWidth(std::int64_t tokens);  // 1, 2, 4, 6, 8, 12 or 16
  std::int64_t tiles() const { return (rows + kTileTokens - 1) / kTileTokens; }
  std::int64_t tokens(std::int64_t tile) const;
  std::int64_t row_bytes() const;
  std::int64_t tile_offset(std::int64_t tile) const { return tile * kTileTokens * row_bytes(); }
  std::int64_t bytes() const;
};

}  // namespace switchyard::cpu
