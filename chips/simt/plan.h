// A program for a SIMT device: which kernels to launch, one after the other, with which memory and
// parameters. Made once for a program description; knows no device's interface, so every chip of
// the kind, and the emulator, runs the same plan. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "switchyard/chip.h"

namespace switchyard::simt {

enum class Kernel : std::uint8_t {
  kElementwise,
  kRmsNorm,
  kCopyRows,
  kRope,
  kKvStore,
  kCombine,
  kTopK,
  kRouterTopK,
  kAttention,
  // Those that read a weight's blocks, compiled once for each format.
  kEmbedding,
  kLinear1,
  kLinear8,
  kGroupedLinear,
  kCount
};

std::string_view KernelName(Kernel kernel);
bool ReadsBlocks(Kernel kernel);

enum class MemoryKind : std::uint8_t { kWorkspace, kSlot, kWeight };

// Where an operand begins.
struct MemoryPlace {
  MemoryKind kind = MemoryKind::kWorkspace;
  std::uint32_t slot = 0;
  sy_weight* weight = nullptr;
  std::uint64_t offset = 0;
};

// What a group of the attention kernel needs of local memory: queries and sums, a tile, its scores,
// and a few numbers of each row.
extern const std::uint64_t kAttentionLocalBytes;

struct Launch {
  Kernel kernel = Kernel::kElementwise;
  sy_dtype format = SY_F32;  // of the weight, where the kernel reads blocks
  std::uint64_t groups_x = 1;
  std::uint64_t groups_y = 1;
  std::vector<MemoryPlace> places;  // in the order of the kernel's arguments
  std::vector<std::byte> parameters;
};

// What attention is told of its sequences, checked on the host before each run.
struct SequenceCheck {
  std::uint32_t table_slot, start_slot, length_slot;
  std::int64_t sequences, most_pages, table_stride, page_size, page_count, rows;
};

struct Plan {
  std::vector<Launch> launches;
  std::vector<SequenceCheck> checks;
  std::vector<std::uint64_t> slot_bytes;  // that the program touches of each slot; 0 if it doesn't
  std::uint64_t workspace_bytes = 0;
};

struct PlanOptions {
  // LANES and ROWS_OF_LANE of the kernels that read blocks.
  std::uint32_t linear_lanes = 32;
  std::uint32_t rows_of_lane = 1;
  std::uint64_t alignment = 128;
};

// Whether operation `op` of the program is well-formed and within what the kernels can address.
// Weights need not be there. kUnimplemented otherwise.
base::Status CheckSupport(const sy_program_desc& desc, std::uint32_t op);

// All operations must be supported. Structs of `desc` must be of this side's size.
base::Result<Plan> MakePlan(const sy_program_desc& desc, const PlanOptions& options);

// Page tables, starts and lengths by their host copies; passes where there is none.
base::Status CheckSequences(const Plan& plan, const sy_binding* bindings);

}  // namespace switchyard::simt
