// An operation list, planned for a chip: what the chip supports runs there, what it lacks runs on
// the fallback (the reference chip), and nothing of that is silent: the load report says which
// operations went where, why, and how many bytes cross over in each run.
//
// A program is made once for a set of shapes and run many times, by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "device/device.h"
#include "device/weight_table.h"
#include "ops/op_list.h"

namespace switchyard::device {

// The chip a model runs on, with its queue, and the fallback if there may be one.
struct Target {
  Device* chip = nullptr;
  Queue* queue = nullptr;
  Device* fallback = nullptr;  // null: an operation that the chip lacks is an error
  Queue* fallback_queue = nullptr;
};

// KV pages are written and read by operations that must run on one device: the pages' home.
enum class KvHome { kChip, kFallback };

// The chip, unless it lacks kv_store or attention for any of `lists`.
base::Result<KvHome> ChooseKvHome(std::span<const ops::OpList* const> lists, const Target& target);

// What one argument slot is bound to. All but KV pages live on the chip.
struct Argument {
  const Buffer* buffer = nullptr;
  std::uint64_t offset_bytes = 0;
  const void* host_copy = nullptr;  // as in sy_binding
};

struct FallbackNote {
  sy_op_kind kind;
  std::string weight_type;  // "q4_k"; empty if the operation has no weight
  std::string reason;       // the chip's words
  std::uint32_t count = 0;
  // But for the count.
  bool SaysTheSame(const FallbackNote& other) const;
  std::string Describe() const;  // "2 x linear q4_k: no such type"
};

// Which operations of `list` the chip lacks; equal notes are merged.
std::vector<FallbackNote> Lacking(const ops::OpList& list, const Device& chip);

// What ran where; equal notes are merged. Of several lists: of the one that has most on the
// fallback.
struct LoadReport {
  std::uint32_t ops_on_chip = 0;
  std::uint32_t ops_on_fallback = 0;
  std::vector<FallbackNote> fallbacks;
  std::uint64_t crossing_bytes = 0;  // moved between chip and fallback in each run, if any are
  // With another list of the same model, for other shapes.
  void Merge(const LoadReport& other);
  // Sentences for the user; empty if everything is on the chip.
  std::string Describe(std::string_view chip, std::string_view fallback) const;
};

// Where the operations of a list run.
struct Placement {
  // By operation. Those of row_gather are left out: only some shapes have them, and who moves rows
  // makes no difference to the numbers.
  std::vector<bool> on_fallback;
  LoadReport report;
  // Whether what both lists have runs in the same place; one may end before the other.
  bool IsLike(const Placement& other) const;
};

class Program {
 public:
  static base::Result<std::unique_ptr<Program>> Create(const ops::OpList& list,
                                                       WeightTable& weights, const Target& target,
                                                       KvHome kv_home);
  // What a program of the list would run where, or why there can be none. It only asks: nothing is
  // made on a device.
  static base::Result<Placement> Survey(const ops::OpList& list, const Target& target,
                                        KvHome kv_home);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  // `arguments` by slot. Returns when the work is queued; queue->Sync() waits for it. With a
  // fallback it waits inside, at each crossing.
  base::Status Run(std::span<const Argument> arguments);

  const LoadReport& report() const { return placement_.report; }
  const Placement& placement() const { return placement_; }

 private:
  // Consecutive operations on one device.
  struct Segment {
    bool on_fallback = false;
    sy_program* program = nullptr;
    std::uint64_t workspace_bytes = 0;
    std::vector<std::uint32_t> before;  // slots to bring over from the other device first
  };
  // A slot beyond the list's own: a temporary that outlives its segment, or the fallback's copy of
  // an argument.
  struct Crossing {
    std::uint64_t bytes = 0;
    bool is_on_chip = false;  // never for the chip's own arguments
    bool is_on_fallback = false;
    Buffer on_chip;
    Buffer on_fallback;
  };
  struct Layout;

  explicit Program(const Target& target) : target_(target) {}

  // Chip or fallback, for each operation.
  base::Result<std::vector<bool>> Place(const ops::OpList& list, KvHome kv_home);
  // What follows from that: segments, and what crosses over between them.
  Layout LayOut(const ops::OpList& list, const std::vector<bool>& on_fallback);
  std::vector<std::uint32_t> CutIntoSegments(const std::vector<bool>& on_fallback);
  static void GiveSlots(const ops::OpList& list, Layout& layout);
  void FindCrossings(const ops::OpList& list, const Layout& layout);
  base::Status MakeBuffers();
  base::Status MakePrograms(const ops::OpList& list, WeightTable& weights, const Layout& layout);
  base::Status Bring(std::uint32_t slot, bool to_fallback, std::span<const Argument> arguments);

  Target target_;
  Placement placement_;
  std::uint32_t list_slots_ = 0;
  std::vector<bool> lives_on_fallback_;  // by slot: KV pages whose home is the fallback
  std::vector<Segment> segments_;
  std::vector<Crossing> crossings_;          // by slot
  std::vector<std::uint32_t> written_back_;  // slots that a fallback segment wrote for the caller
  std::vector<sy_binding> bindings_;         // scratch of Run
};

}  // namespace switchyard::device
