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

  std::string Describe() const;  // "2 x linear q4_k: no such type"
};

// Which operations of `list` the chip lacks; equal notes are merged.
std::vector<FallbackNote> Lacking(const ops::OpList& list, const Device& chip);

// What ran where; equal notes are merged.
struct LoadReport {
  std::uint32_t ops_on_chip = 0;
  std::uint32_t ops_on_fallback = 0;
  std::vector<FallbackNote> fallbacks;
  std::uint64_t crossing_bytes = 0;  // moved between chip and fallback in each run
  // Sentences for the user; empty if everything is on the chip.
  std::string Describe(std::string_view chip, std::string_view fallback) const;
};

class Program {
 public:
  static base::Result<std::unique_ptr<Program>> Create(const ops::OpList& list,
                                                       WeightTable& weights, const Target& target,
                                                       KvHome kv_home);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  // `arguments` by slot. Returns when the work is queued; queue->Sync() waits for it. With a
  // fallback it waits inside, at each crossing.
  base::Status Run(std::span<const Argument> arguments);

  const LoadReport& report() const { return report_; }

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
    Buffer on_chip;      // empty for the chip's own arguments
    Buffer on_fallback;  // empty if never used there
  };

  explicit Program(const Target& target) : target_(target) {}

  base::Status BuildSegments(const ops::OpList& list, WeightTable& weights,
                             std::span<const bool> on_fallback);
  base::Status Bring(std::uint32_t slot, bool to_fallback, std::span<const Argument> arguments);

  Target target_;
  LoadReport report_;
  std::uint32_t list_slots_ = 0;
  std::vector<bool> lives_on_fallback_;  // by slot: KV pages whose home is the fallback
  std::vector<Segment> segments_;
  std::vector<Crossing> crossings_;          // by slot
  std::vector<std::uint32_t> written_back_;  // slots that a fallback segment wrote for the caller
  std::vector<sy_binding> bindings_;         // scratch of Run
};

}  // namespace switchyard::device
