#include "certify/lockstep.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "ops/op_rules.h"
#include "ops/tensor_span.h"

namespace switchyard::certify {
namespace {

using engine::StepInputs;
using engine::StepItem;

// Which layer's keys (0) or values (1) a slot of the forward pass is.
struct PageSlot {
  bool is_page = false;
  std::size_t side = 0;
  std::size_t layer = 0;
};

PageSlot FindPages(const model::Forward& forward, std::uint32_t slot) {
  const std::array sides{&forward.key_pages, &forward.value_pages};
  for (std::size_t side = 0; side < sides.size(); ++side) {
    const auto found = std::ranges::find(*sides[side], slot);
    if (found == sides[side]->end()) continue;
    return {true, side, static_cast<std::size_t>(found - sides[side]->begin())};
  }
  return {};
}

std::int64_t RoundUp(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// The operation after which each tensor's contents are no longer needed.
std::vector<std::uint32_t> LastUses(const ops::OpList& list) {
  std::vector<std::uint32_t> last(list.tensors().size(), 0);
  for (std::uint32_t i = 0; i < list.ops().size(); ++i) {
    for (const std::uint32_t input : list.ops()[i].inputs) {
      if (input != SY_NO_TENSOR) last[ops::RootOf(list.tensors().data(), input)] = i;
    }
  }
  return last;
}

}  // namespace

base::Result<std::unique_ptr<Lockstep>> Lockstep::Create(model::Model& model,
                                                         const device::Target& a,
                                                         const device::Target& b,
                                                         StepGeometry geometry) {
  const model::ModelConfig& config = model.config();
  const std::int64_t multiple =
      std::lcm(std::max<std::int64_t>(1, a.chip->properties().kv_page_multiple),
               std::max<std::int64_t>(1, b.chip->properties().kv_page_multiple));
  geometry.page_size = RoundUp(geometry.page_size, multiple);
  geometry.context = RoundUp(std::min(geometry.context, config.context_length), geometry.page_size);
  std::unique_ptr<Lockstep> lockstep(new Lockstep(model, geometry));

  const engine::KvShape shape =
      engine::KvShape::Of(config, geometry.kv_dtype, geometry.page_size, geometry.pages());
  const model::ForwardShape largest{.tokens = geometry.step_tokens,
                                    .sequences = geometry.sequences,
                                    .logit_rows = geometry.sequences,
                                    .pages = geometry.pages(),
                                    .page_size = geometry.page_size,
                                    .pages_per_sequence = geometry.pages_per_sequence()};
  SWITCHYARD_TRY(const model::Forward forward,
                 model::BuildForward(config, model.weights(), largest,
                                     {.activation_dtype = geometry.activation_dtype,
                                      .kv_dtype = geometry.kv_dtype}));
  const std::array<const ops::OpList*, 1> lists{&forward.ops};
  for (auto [chip, target] : {std::pair{&lockstep->a_, &a}, std::pair{&lockstep->b_, &b}}) {
    chip->target = *target;
    SWITCHYARD_TRY(chip->kv_home, device::ChooseKvHome(lists, *target));
    device::Device& home =
        chip->kv_home == device::KvHome::kChip ? *target->chip : *target->fallback;
    SWITCHYARD_TRY(chip->kv, engine::KvCache::Create(home, shape));
  }
  return lockstep;
}

base::Result<Lockstep::Prepared> Lockstep::Prepare(std::span<const StepItem> items) {
  model::ForwardShape shape{.tokens = 0,
                            .sequences = static_cast<std::int64_t>(items.size()),
                            .logit_rows = 0,
                            .pages = geometry_.pages(),
                            .page_size = geometry_.page_size,
                            .pages_per_sequence = geometry_.pages_per_sequence()};
  for (const StepItem& item : items) {
    shape.tokens += item.count;
    shape.logit_rows += item.all_logits ? item.count : 1;
    SWITCHYARD_RETURN_IF_ERROR(
        a_.kv.Reserve(item.sequence->pages, item.sequence->cached + item.count));
  }
  Prepared prepared;
  SWITCHYARD_TRY(prepared.forward,
                 model::BuildForward(model_.config(), model_.weights(), shape,
                                     {.activation_dtype = geometry_.activation_dtype,
                                      .kv_dtype = geometry_.kv_dtype}));
  const StepInputs inputs =
      StepInputs::Of(items, geometry_.page_size, geometry_.pages_per_sequence());
  const model::Forward& forward = prepared.forward;
  prepared.integers.resize(forward.ops.slot_count());
  for (const auto& [slot, values] : {std::pair{forward.token_ids, &inputs.token_ids},
                                     std::pair{forward.positions, &inputs.positions},
                                     std::pair{forward.kv_slots, &inputs.kv_slots},
                                     std::pair{forward.page_table, &inputs.page_table},
                                     std::pair{forward.query_start, &inputs.query_start},
                                     std::pair{forward.kv_length, &inputs.kv_length},
                                     std::pair{forward.logit_rows, &inputs.logit_rows}}) {
    const auto bytes = std::as_bytes(std::span(*values));
    prepared.integers[slot].assign(bytes.begin(), bytes.end());
  }
  return prepared;
}

void Lockstep::BindPages(const model::Forward& forward, std::span<const std::uint32_t> origins,
                         const engine::KvCache& kv, std::span<SlotContents> slots) {
  for (std::size_t i = 0; i < origins.size(); ++i) {
    const PageSlot pages = FindPages(forward, forward.ops.tensors()[origins[i]].slot);
    if (!pages.is_page || forward.ops.tensors()[origins[i]].storage != SY_STORAGE_ARGUMENT)
      continue;
    slots[i].pages = pages.side == 0 ? &kv.keys(pages.layer) : &kv.values(pages.layer);
  }
}

// The rows of keys (side 0) or values (1) that a kv_store wrote, in the order of its slots.
base::Result<std::vector<std::byte>> Lockstep::WrittenRows(ChipUnderStep& chip,
                                                           const model::Forward& forward,
                                                           const sy_op& op, std::size_t side,
                                                           std::span<const std::int32_t> kv_slots) {
  const sy_tensor& pages = forward.ops.tensors()[op.inputs[3 + side]];
  const PageSlot place = FindPages(forward, pages.slot);
  const device::Buffer& buffer =
      side == 0 ? chip.kv.keys(place.layer) : chip.kv.values(place.layer);
  device::Queue& queue =
      chip.kv_home == device::KvHome::kChip ? *chip.target.queue : *chip.target.fallback_queue;
  const auto row_bytes = static_cast<std::size_t>(pages.strides[1]);
  std::vector<std::byte> page(static_cast<std::size_t>(pages.strides[0]));
  std::vector<std::byte> rows;
  std::int64_t loaded = -1;
  for (const std::int32_t slot : kv_slots) {
    const std::int64_t number = slot / geometry_.page_size;
    if (number != loaded) {
      SWITCHYARD_RETURN_IF_ERROR(queue.ExportKvPage(side == 0 ? SY_KV_KEYS : SY_KV_VALUES, pages,
                                                    buffer, static_cast<std::uint32_t>(number),
                                                    page.data()));
      SWITCHYARD_RETURN_IF_ERROR(queue.Sync());
      loaded = number;
    }
    const auto at =
        page.begin() + static_cast<std::ptrdiff_t>(
                           row_bytes * static_cast<std::size_t>(slot % geometry_.page_size));
    rows.insert(rows.end(), at, at + static_cast<std::ptrdiff_t>(row_bytes));
  }
  return rows;
}

base::Status Lockstep::Step(std::span<const StepItem> items, const Sight& sight) {
  SWITCHYARD_TRY(Prepared prepared, Prepare(items));
  const model::Forward& forward = prepared.forward;
  const ops::OpList& list = forward.ops;
  const std::vector<std::uint32_t> last_use = LastUses(list);
  const auto root_of = [&](std::uint32_t t) { return ops::RootOf(list.tensors().data(), t); };

  std::vector<std::vector<std::byte>> contents(list.tensors().size());  // as A has them
  for (std::uint32_t t = 0; t < contents.size(); ++t) {
    const sy_tensor& tensor = list.tensors()[t];
    if (tensor.storage == SY_STORAGE_ARGUMENT) contents[t] = prepared.integers[tensor.slot];
  }
  const std::vector<std::byte>& slot_bytes = prepared.integers[forward.kv_slots];
  const std::span kv_slots(reinterpret_cast<const std::int32_t*>(slot_bytes.data()),
                           slot_bytes.size() / sizeof(std::int32_t));

  for (std::uint32_t i = 0; i < list.ops().size(); ++i) {
    const sy_op& op = list.ops()[i];
    const ops::OpList::Part part = list.Only({&i, 1});
    std::vector<SlotContents> slots(part.origins.size());
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      slots[slot].bytes = contents[part.origins[slot]];
    }
    std::vector<WrittenTensor> written;
    if (op.kind == SY_OP_KV_STORE) {
      written = {{op.inputs[3], {}, {}}, {op.inputs[4], {}, {}}};
    } else {
      for (const std::uint32_t output : op.outputs) {
        if (output != SY_NO_TENSOR) written.push_back({root_of(output), {}, {}});
      }
    }
    bool b_on_fallback = false;
    for (ChipUnderStep* chip : {&a_, &b_}) {
      const auto run = [&]() -> base::Status {
        BindPages(forward, part.origins, chip->kv, slots);
        SWITCHYARD_TRY(const auto program,
                       BoundProgram::Create(part.list, slots, model_.weights().table(),
                                            chip->target, chip->kv_home));
        SWITCHYARD_RETURN_IF_ERROR(program->Run());
        if (chip == &b_) b_on_fallback = program->report().ops_on_fallback > 0;
        for (std::size_t w = 0; w < written.size(); ++w) {
          std::vector<std::byte>& to = chip == &a_ ? written[w].a : written[w].b;
          if (op.kind == SY_OP_KV_STORE) {
            SWITCHYARD_TRY(to, WrittenRows(*chip, forward, op, w, kv_slots));
            continue;
          }
          const auto slot = std::ranges::find(part.origins, written[w].tensor);
          SWITCHYARD_TRY(to,
                         program->Read(static_cast<std::uint32_t>(slot - part.origins.begin())));
        }
        return {};
      };
      if (auto status = run(); !status) {
        return base::Rethrow(std::move(status.error()), "{} on '{}'", ops::OpName(op.kind),
                             chip->target.chip->chip().name());
      }
    }
    sight({forward, i, b_on_fallback, written, [&](std::size_t index) {
             return std::span<const std::byte>(contents[root_of(op.inputs[index])]);
           }});
    if (op.kind != SY_OP_KV_STORE) {
      for (WrittenTensor& one : written) contents[one.tensor] = std::move(one.a);
    }
    for (const std::uint32_t input : op.inputs) {
      if (input == SY_NO_TENSOR || last_use[root_of(input)] != i) continue;
      if (list.tensors()[root_of(input)].storage == SY_STORAGE_TEMPORARY)
        contents[root_of(input)] = {};
    }
  }
  for (const StepItem& item : items) item.sequence->cached += item.count;
  return {};
}

}  // namespace switchyard::certify
