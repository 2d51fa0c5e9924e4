// Two chips that go through the same steps of a model, operation by operation, each on A's inputs.
// What is seen of each operation goes to a caller's function. One thread; the model and the devices
// outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "certify/bound_program.h"
#include "device/program.h"
#include "engine/kv_cache.h"
#include "engine/step_inputs.h"
#include "model/architecture.h"
#include "model/model.h"

namespace switchyard::certify {

// A chip with KV pages of its own.
struct ChipUnderStep {
  device::Target target;
  device::KvHome kv_home = device::KvHome::kChip;
  engine::KvCache kv;
};

struct StepGeometry {
  std::int64_t page_size = 32;
  std::int64_t sequences = 16;
  std::int64_t context = 320;       // of one sequence
  std::int64_t step_tokens = 1024;  // of the largest step
  tensor::DType kv_dtype = tensor::DType::kF16;
  tensor::DType activation_dtype = tensor::DType::kF32;

  std::int64_t pages_per_sequence() const { return context / page_size; }
  std::int64_t pages() const { return pages_per_sequence() * sequences; }
};

// One tensor that an operation wrote, as each chip has it; dense. `rows` of pages are those
// written.
struct WrittenTensor {
  std::uint32_t tensor;  // of the list
  std::vector<std::byte> a;
  std::vector<std::byte> b;
};

// What an operation did on both chips.
struct OperationSeen {
  const model::Forward& forward;
  std::uint32_t op;
  bool b_on_fallback;
  std::span<const WrittenTensor> written;
  // The contents of input `index` of the operation, the same for both; dense. Not of pages,
  // weights.
  std::function<std::span<const std::byte>(std::size_t index)> input;
};

class Lockstep {
 public:
  // Rounds the geometry's page size and context up to what both chips want.
  static base::Result<std::unique_ptr<Lockstep>> Create(model::Model& model,
                                                        const device::Target& a,
                                                        const device::Target& b,
                                                        StepGeometry geometry);

  using Sight = std::function<void(const OperationSeen&)>;
  // One step of `items`, whose sequences' `cached` move on.
  base::Status Step(std::span<const engine::StepItem> items, const Sight& sight);

  // The forward pass of a step and the contents of its integer arguments, by slot.
  struct Prepared {
    model::Forward forward;
    std::vector<std::vector<std::byte>> integers;  // by slot; empty for others
  };
  base::Result<Prepared> Prepare(std::span<const engine::StepItem> items);

  const StepGeometry& geometry() const { return geometry_; }
  ChipUnderStep& a() { return a_; }
  ChipUnderStep& b() { return b_; }

  // Slots of `forward` that are pages, for one chip; `slots` has one entry for each slot of a list
  // whose slot i is `forward`'s tensor origins[i].
  static void BindPages(const model::Forward& forward, std::span<const std::uint32_t> origins,
                        const engine::KvCache& kv, std::span<SlotContents> slots);

 private:
  Lockstep(model::Model& model, StepGeometry geometry) : model_(model), geometry_(geometry) {}

  base::Result<std::vector<std::byte>> WrittenRows(ChipUnderStep& chip,
                                                   const model::Forward& forward, const sy_op& op,
                                                   std::size_t side,
                                                   std::span<const std::int32_t> kv_slots);

  model::Model& model_;
  StepGeometry geometry_;
  ChipUnderStep a_;
  ChipUnderStep b_;
};

}  // namespace switchyard::certify
