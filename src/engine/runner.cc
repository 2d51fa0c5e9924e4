#include "engine/runner.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace switchyard::engine {
namespace {

using base::ErrorCode;
using base::Fail;

// Enough for the rounded shapes that a busy batch takes turns with: those that decode are always
// among them. Planning one anew costs about 2 ms and keeping it 0.3 MiB (30 layers, CPU).
constexpr std::size_t kPlannedPrograms = 48;

std::int64_t RoundUp(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

base::Result<tensor::DType> ChooseActivations(const model::Model& model, const device::Device& chip,
                                              std::span<const model::ForwardShape> shapes,
                                              tensor::DType kv_dtype) {
  std::optional<std::uint32_t> fewest;
  tensor::DType best = tensor::DType::kF32;
  for (const auto dtype : {tensor::DType::kF32, tensor::DType::kF16, tensor::DType::kBF16}) {
    std::uint32_t lacking = 0;
    for (const model::ForwardShape& shape : shapes) {
      SWITCHYARD_TRY(const model::Forward forward,
                     model::BuildForward(model.config(), model.weights(), shape,
                                         {.activation_dtype = dtype, .kv_dtype = kv_dtype}));
      for (const auto& note : device::Lacking(forward.ops, chip)) lacking += note.count;
    }
    if (!fewest || lacking < *fewest) {
      fewest = lacking;
      best = dtype;
    }
    if (lacking == 0) break;
  }
  return best;
}

base::Result<std::unique_ptr<Runner>> Runner::Create(model::Model& model,
                                                     const device::Target& target,
                                                     const RunnerOptions& options) {
  const model::ModelConfig& config = model.config();
  RunnerOptions chosen = options;
  if (chosen.context_tokens < 1 || chosen.sequences < 1 || chosen.chunk_tokens < 1 ||
      chosen.pages < 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "context ({}), sequences ({}) and chunk ({}) must be at least 1, pages ({}) 0 or "
                "more",
                chosen.context_tokens, chosen.sequences, chosen.chunk_tokens, chosen.pages);
  }
  if (chosen.context_tokens > config.context_length) {
    return Fail(ErrorCode::kInvalidArgument,
                "a context of {} tokens was asked for and this model was made for {}",
                chosen.context_tokens, config.context_length);
  }
  const auto multiple = std::max<std::int64_t>(1, target.chip->properties().kv_page_multiple);
  chosen.page_size = RoundUp(std::max<std::int64_t>(1, chosen.page_size), multiple);
  chosen.context_tokens = RoundUp(chosen.context_tokens, chosen.page_size);
  if (chosen.pages == 0) {
    chosen.pages = chosen.context_tokens / chosen.page_size * chosen.sequences;
  }

  std::unique_ptr<Runner> runner(new Runner(model, target, chosen));
  runner->vocabulary_size_ = config.vocabulary;

  const std::array shapes{runner->ShapeOf({1, 1, 1}), runner->ShapeOf(runner->LargestShape())};
  SWITCHYARD_TRY(runner->activation_dtype_,
                 ChooseActivations(model, *target.chip, shapes, chosen.kv_dtype));
  // Where the KV pages live must suit decode and prefill alike.
  SWITCHYARD_TRY(const model::Forward decode, runner->Build({1, 1, 1}));
  SWITCHYARD_TRY(const model::Forward prefill, runner->Build(runner->LargestShape()));
  SWITCHYARD_TRY(const model::Forward embed,
                 runner->Build(runner->LargestShape(), StepOutput::kHiddenStates));
  const std::array<const ops::OpList*, 3> lists{&decode.ops, &prefill.ops, &embed.ops};
  SWITCHYARD_TRY(runner->kv_home_, device::ChooseKvHome(lists, target));
  SWITCHYARD_RETURN_IF_ERROR(runner->Survey(lists));

  KvShape shape = KvShape::Of(config, chosen.kv_dtype, chosen.page_size, chosen.pages);
  device::Device& home =
      runner->kv_home_ == device::KvHome::kChip ? *target.chip : *target.fallback;
  SWITCHYARD_TRY(runner->kv_, KvCache::Create(home, std::move(shape)));

  SWITCHYARD_RETURN_IF_ERROR(runner->Plan({1, 1, 1}, StepOutput::kLogits));
  return runner;
}

model::ForwardShape Runner::ShapeOf(const StepShape& step) const {
  return {.tokens = step.tokens,
          .sequences = step.sequences,
          .logit_rows = step.logit_rows,
          .pages = options_.pages,
          .page_size = options_.page_size,
          .pages_per_sequence = options_.context_tokens / options_.page_size};
}

base::Status Runner::Survey(std::span<const ops::OpList* const> lists) {
  for (const ops::OpList* list : lists) {
    SWITCHYARD_TRY(device::Placement placement, device::Program::Survey(*list, target_, kv_home_));
    if (list == lists.front()) {
      report_ = placement.report;
      of_one_token_ = std::move(placement);
    } else {
      report_.Merge(placement.report);
      is_placed_alike_ = is_placed_alike_ && placement.IsLike(of_one_token_);
    }
  }
  known_ = report_;
  return {};
}

base::Status Runner::CheckPlacement(const StepShape& shape, const device::Placement& placement) {
  const bool is_alike = placement.IsLike(of_one_token_);
  if (!is_alike && keeps_batch_invariant_) {
    return Fail(ErrorCode::kFailedPrecondition,
                "in a step of {} tokens chip '{}' and the fallback would compute other operations "
                "than in one of a single token, so that results would depend on the batch: take "
                "another chip, or do without the deterministic mode",
                shape.tokens, target_.chip->chip().name());
  }
  is_placed_alike_ = is_placed_alike_ && is_alike;
  device::LoadReport late = placement.report;
  std::erase_if(late.fallbacks, [this](const device::FallbackNote& note) {
    return std::ranges::any_of(known_.fallbacks, [&](const device::FallbackNote& known) {
      return known.SaysTheSame(note);
    });
  });
  known_.Merge(placement.report);
  if (!late.fallbacks.empty() && on_late_fallback_) on_late_fallback_(late);
  return {};
}

base::Result<model::Forward> Runner::Build(const StepShape& shape, StepOutput output) {
  return model::BuildForward(model_.config(), model_.weights(), ShapeOf(shape),
                             {.activation_dtype = activation_dtype_,
                              .kv_dtype = options_.kv_dtype,
                              .hidden_states = output == StepOutput::kHiddenStates});
}

base::Result<Runner::Planned*> Runner::Plan(const StepShape& shape, StepOutput output) {
  const auto known = std::ranges::find_if(planned_, [&](const Planned& planned) {
    return planned.shape == shape && planned.output == output;
  });
  if (known != planned_.end()) {
    planned_.splice(planned_.begin(), planned_, known);
    return &planned_.front();
  }
  Planned planned{shape, output, {}, 0, nullptr};
  SWITCHYARD_TRY(planned.forward, Build(shape, output));
  SWITCHYARD_TRY(
      planned.program,
      device::Program::Create(planned.forward.ops, model_.weights().table(), target_, kv_home_));
  SWITCHYARD_RETURN_IF_ERROR(CheckPlacement(shape, planned.program->placement()));
  planned.slot_count = std::exchange(planned.forward.ops, {}).slot_count();
  if (planned_.size() >= kPlannedPrograms) planned_.pop_back();
  planned_.push_front(std::move(planned));
  return &planned_.front();
}

base::Status Runner::CheckItems(std::span<const Item> items) const {
  std::int64_t tokens = 0;
  for (const Item& item : items) {
    const auto total = static_cast<std::int64_t>(item.sequence->tokens.size());
    if (item.count < 1 || item.sequence->cached + item.count > total) {
      return Fail(ErrorCode::kInvalidArgument, "{} tokens were asked for and {} are uncached",
                  item.count, total - item.sequence->cached);
    }
    if (item.sequence->cached + item.count > options_.context_tokens) {
      return Fail(ErrorCode::kResourceExhausted,
                  "the text has grown to {} tokens and the context holds {}: ask for a larger "
                  "context",
                  item.sequence->cached + item.count, options_.context_tokens);
    }
    for (std::int64_t i = 0; i < item.count; ++i) {
      const TokenId id = item.sequence->tokens[static_cast<std::size_t>(item.sequence->cached + i)];
      if (id < 0 || id >= vocabulary_size_) {
        return Fail(ErrorCode::kInvalidArgument, "token {} is outside the vocabulary of {}", id,
                    vocabulary_size_);
      }
    }
    tokens += item.count;
  }
  if (items.empty() || tokens > options_.chunk_tokens) {
    return Fail(ErrorCode::kInvalidArgument, "a step of {} tokens was asked for; 1 to {} fit",
                tokens, options_.chunk_tokens);
  }
  return {};
}

base::Status Runner::Bind(const Planned& planned, std::span<const Item> items) {
  const StepShape& shape = planned.shape;
  const model::Forward& forward = planned.forward;
  const std::int64_t table_width = options_.context_tokens / options_.page_size;
  const auto alignment = static_cast<std::size_t>(
      std::max<std::uint64_t>(64, target_.chip->properties().alignment_bytes));

  // One host arena for all the integer inputs, each aligned as the chip wants its bindings.
  StepInputs step = StepInputs::Of(items, options_.page_size, table_width);
  step.PadTo(shape, table_width);
  struct Field {
    std::uint32_t slot;
    std::span<const std::int32_t> values;
    std::size_t offset = 0;
  };
  std::array<Field, 7> fields{{{forward.token_ids, step.token_ids},
                               {forward.positions, step.positions},
                               {forward.kv_slots, step.kv_slots},
                               {forward.page_table, step.page_table},
                               {forward.query_start, step.query_start},
                               {forward.kv_length, step.kv_length},
                               {forward.logit_rows, step.logit_rows}}};
  std::size_t bytes = 0;
  for (Field& field : fields) {
    field.offset = bytes;
    bytes += (field.values.size_bytes() + alignment - 1) / alignment * alignment;
  }
  inputs_.host.resize(bytes);
  for (const Field& field : fields) {
    std::memcpy(inputs_.host.data() + field.offset, field.values.data(), field.values.size_bytes());
  }
  if (inputs_.buffer.size_bytes() < bytes) {
    SWITCHYARD_TRY(inputs_.buffer, device::Buffer::Create(*target_.chip, bytes));
  }
  SWITCHYARD_RETURN_IF_ERROR(target_.queue->Upload(inputs_.buffer, 0, inputs_.host.data(), bytes));

  arguments_.assign(planned.slot_count, {});
  for (const Field& field : fields) {
    arguments_[field.slot] = {&inputs_.buffer, field.offset, inputs_.host.data() + field.offset};
  }
  for (std::size_t layer = 0; layer < forward.key_pages.size(); ++layer) {
    arguments_[forward.key_pages[layer]] = {&kv_.keys(layer), 0, nullptr};
    arguments_[forward.value_pages[layer]] = {&kv_.values(layer), 0, nullptr};
  }
  const auto row_bytes =
      static_cast<std::uint64_t>(shape.logit_rows * RowWidth(planned.output)) * sizeof(float);
  if (rows_.size_bytes() < row_bytes) {
    SWITCHYARD_TRY(rows_, device::Buffer::Create(*target_.chip, row_bytes));
  }
  arguments_[forward.logits] = {&rows_, 0, nullptr};
  return {};
}

base::Result<std::span<const float>> Runner::ReadRows(std::int64_t rows, StepOutput output) {
  const auto count = static_cast<std::size_t>(rows * RowWidth(output));
  if (const std::byte* mapped = rows_.host_address(); mapped != nullptr) {
    SWITCHYARD_RETURN_IF_ERROR(target_.queue->Sync());
    return std::span(reinterpret_cast<const float*>(mapped), count);
  }
  host_rows_.resize(count);
  SWITCHYARD_RETURN_IF_ERROR(
      target_.queue->Download(host_rows_.data(), rows_, 0, count * sizeof(float)));
  SWITCHYARD_RETURN_IF_ERROR(target_.queue->Sync());
  return std::span<const float>(host_rows_);
}

base::Result<std::span<const float>> Runner::Step(std::span<const Item> items, StepOutput output) {
  SWITCHYARD_RETURN_IF_ERROR(CheckItems(items));
  for (const Item& item : items) {
    SWITCHYARD_RETURN_IF_ERROR(
        kv_.Reserve(item.sequence->pages, item.sequence->cached + item.count));
  }
  const StepShape shape = StepShape::Of(items);
  SWITCHYARD_TRY(Planned* const planned, Plan(shape.Rounded(), output));
  SWITCHYARD_RETURN_IF_ERROR(Bind(*planned, items));
  SWITCHYARD_RETURN_IF_ERROR(planned->program->Run(arguments_));
  SWITCHYARD_TRY(const auto rows, ReadRows(shape.logit_rows, output));
  for (const Item& item : items) item.sequence->cached += item.count;
  return rows;
}

base::Status Runner::ExportPage(policy::PageId page, std::span<std::byte> to) const {
  return kv_.Export(kv_queue(), page, to);
}

base::Status Runner::ImportPage(policy::PageId page, std::span<const std::byte> from) {
  return kv_.Import(kv_queue(), page, from);
}

base::Result<std::span<const float>> Runner::Advance(Sequence& sequence) {
  std::span<const float> logits;
  const auto total = static_cast<std::int64_t>(sequence.tokens.size());
  if (sequence.cached >= total) {
    return Fail(ErrorCode::kFailedPrecondition, "there is no new token to run");
  }
  while (sequence.cached < total) {
    const Item item{&sequence, std::min(options_.chunk_tokens, total - sequence.cached)};
    SWITCHYARD_TRY(logits, Step(std::span(&item, 1)));
  }
  return logits;
}

bool Runner::is_batch_invariant() const {
  const auto is_invariant = [](const device::Device* device) {
    return device == nullptr || (device->properties().flags & SY_DEVICE_BATCH_INVARIANT) != 0;
  };
  return is_invariant(target_.chip) && is_placed_alike_ &&
         (known_.ops_on_fallback == 0 || is_invariant(target_.fallback));
}

void Runner::Truncate(Sequence& sequence, std::int64_t tokens) {
  if (static_cast<std::int64_t>(sequence.tokens.size()) > tokens) {
    sequence.tokens.resize(static_cast<std::size_t>(tokens));
  }
  sequence.cached = std::min(sequence.cached, tokens);
  kv_.Shrink(sequence.pages, sequence.cached);
}

}  // namespace switchyard::engine
