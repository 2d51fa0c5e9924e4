// Runs a model on a chip: takes sequences, feeds their next tokens through the model in one batch
// and gives the logits. Programs are planned for a shape once and kept; the KV cache lives where
// the chip's attention runs.
//
// One thread. The model, the devices and the queues must outlive the runner; sequences must be
// released before it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/program.h"
#include "engine/kv_cache.h"
#include "engine/step_inputs.h"
#include "model/architecture.h"
#include "model/model.h"

namespace switchyard::engine {

struct RunnerOptions {
  std::int64_t context_tokens = 4096;  // of one sequence at most
  std::int64_t sequences = 1;          // that fit at full context
  std::int64_t pages = 0;              // of the KV cache; 0: as many as those sequences need
  std::int64_t chunk_tokens = 512;     // of one step at most
  std::int64_t page_size = 32;         // rounded up to what the chip wants
  tensor::DType kv_dtype = tensor::DType::kF16;
};

// What a step gives of each row: the scores of the next token, or the final hidden state.
enum class StepOutput : std::uint8_t { kLogits, kHiddenStates };

// With which type of activations the chip lacks the fewest operations of a model, f32 if it is one
// of those. `shapes` are of the smallest and of the largest step.
base::Result<tensor::DType> ChooseActivations(const model::Model& model, const device::Device& chip,
                                              std::span<const model::ForwardShape> shapes,
                                              tensor::DType kv_dtype);

class Runner {
 public:
  static base::Result<std::unique_ptr<Runner>> Create(model::Model& model,
                                                      const device::Target& target,
                                                      const RunnerOptions& options);

  using Item = StepItem;
  // One pass over all items, of chunk_tokens tokens at most. Returns the logits [rows, V] or hidden
  // states [rows, hidden] with the items' rows in their order; valid until the next step.
  base::Result<std::span<const float>> Step(std::span<const Item> items,
                                            StepOutput output = StepOutput::kLogits);

  // Caches all tokens of `sequence`, in steps; returns the last one's logits [V].
  base::Result<std::span<const float>> Advance(Sequence& sequence);

  // Forgets all but the first `tokens` tokens.
  void Truncate(Sequence& sequence, std::int64_t tokens);
  void Release(Sequence& sequence) { Truncate(sequence, 0); }

  std::int64_t vocabulary_size() const { return vocabulary_size_; }
  std::size_t planned_programs() const { return planned_.size(); }
  std::int64_t hidden_size() const { return model_.config().hidden; }
  model::Pooling pooling() const { return model_.config().pooling; }
  const RunnerOptions& options() const { return options_; }
  const KvShape& kv_shape() const { return kv_.shape(); }
  // For those who share pages between sequences, or hold more of them than run. Step takes what a
  // sequence lacks from here.
  policy::PagePool& pool() { return kv_.pool(); }
  const policy::PagePool& pool() const { return kv_.pool(); }
  // A page's keys and values of every layer, to or from host memory, as KvCache says.
  base::Status ExportPage(policy::PageId page, std::span<std::byte> to) const;
  base::Status ImportPage(policy::PageId page, std::span<const std::byte> from);
  // What runs where: in a step of one token, in the largest, and in the largest that embeds. Steps
  // of other shapes are planned when they come.
  const device::LoadReport& report() const { return report_; }
  // `tell` hears, within Step, of what falls back in such a step and did in none before.
  void OnLateFallback(std::function<void(const device::LoadReport&)> tell) {
    on_late_fallback_ = std::move(tell);
  }
  // Of a step, the most that was planned so far.
  std::uint32_t fallback_operations() const { return known_.ops_on_fallback; }
  tensor::DType activation_dtype() const { return activation_dtype_; }
  // Neither the chip's results nor its fallback's depend on what else a step holds, nor does it
  // depend on that which of them computes.
  bool is_batch_invariant() const;
  // Whether a step that would end that is refused; else `tell` hears of it.
  void KeepBatchInvariant(bool keeps) { keeps_batch_invariant_ = keeps; }

 private:
  struct Planned {
    StepShape shape;
    StepOutput output;
    model::Forward forward;  // without its list, which the program was made of
    std::size_t slot_count = 0;
    std::unique_ptr<device::Program> program;
  };
  // Those of the step, in one buffer.
  struct Inputs {
    std::vector<std::byte> host;
    device::Buffer buffer;
  };

  Runner(model::Model& model, const device::Target& target, const RunnerOptions& options)
      : model_(model), target_(target), options_(options) {}

  StepShape LargestShape() const {
    return {options_.chunk_tokens, options_.sequences, options_.sequences};
  }
  base::Status Survey(std::span<const ops::OpList* const> lists);
  base::Status CheckPlacement(const StepShape& shape, const device::Placement& placement);
  base::Status CheckItems(std::span<const Item> items) const;
  model::ForwardShape ShapeOf(const StepShape& step) const;
  base::Result<model::Forward> Build(const StepShape& shape,
                                     StepOutput output = StepOutput::kLogits);
  base::Result<Planned*> Plan(const StepShape& shape, StepOutput output);
  std::int64_t RowWidth(StepOutput output) const {
    return output == StepOutput::kLogits ? vocabulary_size_ : hidden_size();
  }
  base::Status Bind(const Planned& planned, std::span<const Item> items);
  device::Queue& kv_queue() const {
    return kv_home_ == device::KvHome::kChip ? *target_.queue : *target_.fallback_queue;
  }
  base::Result<std::span<const float>> ReadRows(std::int64_t rows, StepOutput output);

  model::Model& model_;
  device::Target target_;
  RunnerOptions options_;
  std::int64_t vocabulary_size_ = 0;
  tensor::DType activation_dtype_ = tensor::DType::kF32;
  device::KvHome kv_home_ = device::KvHome::kChip;
  KvCache kv_;
  std::list<Planned> planned_;  // most recently used first
  device::LoadReport report_;
  device::LoadReport known_;  // with what was planned since
  device::Placement of_one_token_;
  bool is_placed_alike_ = true;  // every step so far as one of one token
  bool keeps_batch_invariant_ = false;
  std::function<void(const device::LoadReport&)> on_late_fallback_;
  Inputs inputs_;
  std::vector<device::Argument> arguments_;
  device::Buffer rows_;           // of logits or hidden states
  std::vector<float> host_rows_;  // where the chip's memory can't be mapped
};

}  // namespace switchyard::engine
