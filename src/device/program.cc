#include "device/program.h"

#include <algorithm>
#include <optional>
#include <set>

#include "device/internal/single_op.h"
#include "ops/op_rules.h"
#include "ops/tensor_span.h"

namespace switchyard::device {
namespace {

using base::ErrorCode;
using base::Fail;
using ops::OpList;

bool TouchesKv(const sy_op& op) { return op.kind == SY_OP_KV_STORE || op.kind == SY_OP_ATTENTION; }

bool IsKvPage(const sy_op& op, std::uint32_t input) {
  if (op.kind == SY_OP_KV_STORE) return input == 3 || input == 4;
  return op.kind == SY_OP_ATTENTION && (input == 1 || input == 2);
}

template <typename Visit>
void ForEachInput(const sy_op& op, Visit visit) {
  for (std::uint32_t i = 0; i < SY_MAX_INPUTS; ++i) {
    if (op.inputs[i] != SY_NO_TENSOR) visit(i, op.inputs[i]);
  }
}

template <typename Visit>
void ForEachOutput(const sy_op& op, Visit visit) {
  for (const std::uint32_t output : op.outputs) {
    if (output != SY_NO_TENSOR) visit(output);
  }
}

std::string WeightTypeOf(const OpList& list, const sy_op& op) {
  std::string type;
  ForEachInput(op, [&](std::uint32_t, std::uint32_t tensor) {
    const sy_tensor& t = list.tensors()[tensor];
    if (type.empty() && t.storage == SY_STORAGE_WEIGHT) {
      type = tensor::Name(static_cast<tensor::DType>(t.dtype));
    }
  });
  return type;
}

// The note of `notes` that says the same but for its count, which is new and 0 if there was none.
FallbackNote& SameIn(std::vector<FallbackNote>& notes, const FallbackNote& note) {
  const auto same = std::ranges::find_if(
      notes, [&](const FallbackNote& known) { return known.SaysTheSame(note); });
  if (same != notes.end()) return *same;
  notes.push_back(note);
  notes.back().count = 0;
  return notes.back();
}

// Empty if the device supports the operation of `list`, else its reason.
std::optional<std::string> WhyNot(const Device& device, const sy_program_desc& list,
                                  std::uint32_t op) {
  const internal::SingleOp single(list, op);
  const sy_program_desc desc = single.desc();
  if (device.api().op_supported(device.handle(), &desc, 0) != 0) return std::nullopt;
  const char* reason = device.api().last_error();
  return reason == nullptr || *reason == '\0' ? "the chip gives no reason" : reason;
}

}  // namespace

std::string FallbackNote::Describe() const {
  return fmt::format("{} x {}{}{}: {}", count, ops::OpName(kind), weight_type.empty() ? "" : " ",
                     weight_type, reason);
}

bool FallbackNote::SaysTheSame(const FallbackNote& other) const {
  return kind == other.kind && weight_type == other.weight_type && reason == other.reason;
}

void LoadReport::Merge(const LoadReport& other) {
  if (other.ops_on_fallback > ops_on_fallback) {
    ops_on_fallback = other.ops_on_fallback;
    ops_on_chip = other.ops_on_chip;
  }
  if (crossing_bytes == 0) crossing_bytes = other.crossing_bytes;
  for (const FallbackNote& note : other.fallbacks) {
    FallbackNote& known = SameIn(fallbacks, note);
    known.count = std::max(known.count, note.count);
  }
}

bool Placement::IsLike(const Placement& other) const {
  const auto both =
      static_cast<std::ptrdiff_t>(std::min(on_fallback.size(), other.on_fallback.size()));
  return std::equal(on_fallback.begin(), on_fallback.begin() + both, other.on_fallback.begin());
}

std::string LoadReport::Describe(std::string_view chip, std::string_view fallback) const {
  if (fallbacks.empty()) return "";
  std::string text = fmt::format(
      "{} of {} operations run on '{}' because '{}' lacks them; {} bytes cross over in each run:\n",
      ops_on_fallback, ops_on_fallback + ops_on_chip, fallback, chip, crossing_bytes);
  for (const FallbackNote& note : fallbacks) {
    text += fmt::format("  {}\n", note.Describe());
  }
  return text;
}

std::vector<FallbackNote> Lacking(const OpList& list, const Device& chip) {
  const sy_program_desc desc = list.desc();
  std::vector<FallbackNote> notes;
  for (std::uint32_t i = 0; i < desc.op_count; ++i) {
    if (auto reason = WhyNot(chip, desc, i)) {
      ++SameIn(notes, {desc.ops[i].kind, WeightTypeOf(list, desc.ops[i]), *std::move(reason)})
            .count;
    }
  }
  return notes;
}

base::Result<KvHome> ChooseKvHome(std::span<const OpList* const> lists, const Target& target) {
  for (const OpList* list : lists) {
    const sy_program_desc desc = list->desc();
    for (std::uint32_t i = 0; i < desc.op_count; ++i) {
      if (!TouchesKv(desc.ops[i])) continue;
      const auto reason = WhyNot(*target.chip, desc, i);
      if (!reason) continue;
      if (target.fallback == nullptr) {
        return Fail(ErrorCode::kUnimplemented,
                    "chip '{}' cannot run {} ({}) and falling back is not allowed",
                    target.chip->chip().name(), ops::OpName(desc.ops[i].kind), *reason);
      }
      return KvHome::kFallback;
    }
  }
  return KvHome::kChip;
}

// A list, cut into segments.
struct Program::Layout {
  std::vector<sy_tensor> tensors;         // the list's; temporaries that cross over are arguments
  std::vector<std::uint32_t> segment_of;  // by operation
  std::uint32_t slot_count = 0;           // the list's and those of such temporaries
};

base::Result<std::unique_ptr<Program>> Program::Create(const OpList& list, WeightTable& weights,
                                                       const Target& target, KvHome kv_home) {
  std::unique_ptr<Program> program(new Program(target));
  SWITCHYARD_TRY(const std::vector<bool> on_fallback, program->Place(list, kv_home));
  const Layout layout = program->LayOut(list, on_fallback);
  SWITCHYARD_RETURN_IF_ERROR(program->MakeBuffers());
  SWITCHYARD_RETURN_IF_ERROR(program->MakePrograms(list, weights, layout));
  return program;
}

base::Result<Placement> Program::Survey(const OpList& list, const Target& target, KvHome kv_home) {
  Program program(target);
  SWITCHYARD_TRY(const std::vector<bool> on_fallback, program.Place(list, kv_home));
  program.LayOut(list, on_fallback);  // for what crosses over
  return std::move(program.placement_);
}

base::Result<std::vector<bool>> Program::Place(const OpList& list, KvHome kv_home) {
  const sy_program_desc desc = list.desc();
  SWITCHYARD_RETURN_IF_ERROR(ops::Validate(desc));
  const Target& target = target_;
  LoadReport& report = placement_.report;
  std::vector<bool> on_fallback(desc.op_count);
  for (std::uint32_t i = 0; i < desc.op_count; ++i) {
    auto reason = WhyNot(*target.chip, desc, i);
    if (TouchesKv(desc.ops[i])) {
      if (kv_home == KvHome::kFallback && !reason) {
        reason = "the KV pages live with the operations that the chip lacks";
      } else if (kv_home == KvHome::kChip && reason) {
        return Fail(ErrorCode::kUnimplemented,
                    "chip '{}' holds the KV pages but cannot run {} of this shape: {}",
                    target.chip->chip().name(), ops::OpName(desc.ops[i].kind), *reason);
      }
    }
    if (desc.ops[i].kind != SY_OP_ROW_GATHER) {
      placement_.on_fallback.push_back(reason.has_value());
    }
    if (!reason) {
      ++report.ops_on_chip;
      continue;
    }
    if (target.fallback == nullptr) {
      return Fail(ErrorCode::kUnimplemented,
                  "chip '{}' cannot run {} {} ({}) and falling back is not allowed",
                  target.chip->chip().name(), ops::OpName(desc.ops[i].kind),
                  WeightTypeOf(list, desc.ops[i]), *reason);
    }
    if (auto neither = WhyNot(*target.fallback, desc, i)) {
      return Fail(ErrorCode::kUnimplemented, "neither '{}' ({}) nor '{}' ({}) can run {} {}",
                  target.chip->chip().name(), *reason, target.fallback->chip().name(), *neither,
                  ops::OpName(desc.ops[i].kind), WeightTypeOf(list, desc.ops[i]));
    }
    on_fallback[i] = true;
    ++report.ops_on_fallback;
    ++SameIn(report.fallbacks, {desc.ops[i].kind, WeightTypeOf(list, desc.ops[i]), *reason}).count;
  }
  return on_fallback;
}

namespace {

// The part of a list that one segment needs, with its own tensor numbers and with prepared weights.
class SegmentDesc {
 public:
  SegmentDesc(const OpList& list, std::span<const sy_tensor> tensors, WeightTable& weights,
              Device& device)
      : list_(list),
        tensors_(tensors),
        weights_(weights),
        device_(device),
        renumbered_(tensors.size(), SY_NO_TENSOR) {}

  base::Status Add(const sy_op& op) {
    sy_op copy = op;
    for (std::uint32_t& input : copy.inputs) SWITCHYARD_RETURN_IF_ERROR(Renumber(input));
    for (std::uint32_t& output : copy.outputs) SWITCHYARD_RETURN_IF_ERROR(Renumber(output));
    ops_.push_back(copy);
    return {};
  }

  sy_program_desc desc(std::uint32_t slot_count) const {
    return {sizeof(sy_program_desc),
            static_cast<std::uint32_t>(used_.size()),
            used_.data(),
            static_cast<std::uint32_t>(ops_.size()),
            ops_.data(),
            slot_count};
  }

 private:
  base::Status Renumber(std::uint32_t& tensor) {
    if (tensor == SY_NO_TENSOR) return {};
    if (renumbered_[tensor] == SY_NO_TENSOR) {
      sy_tensor copy = tensors_[tensor];
      if (copy.storage == SY_STORAGE_VIEW) SWITCHYARD_RETURN_IF_ERROR(Renumber(copy.base));
      if (copy.storage == SY_STORAGE_WEIGHT) {
        SWITCHYARD_TRY(copy.weight, weights_.Prepare(list_.weight_index(tensor), device_));
      }
      renumbered_[tensor] = static_cast<std::uint32_t>(used_.size());
      used_.push_back(copy);
    }
    tensor = renumbered_[tensor];
    return {};
  }

  const OpList& list_;
  std::span<const sy_tensor> tensors_;
  WeightTable& weights_;
  Device& device_;
  std::vector<std::uint32_t> renumbered_;
  std::vector<sy_tensor> used_;
  std::vector<sy_op> ops_;
};

}  // namespace

Program::Layout Program::LayOut(const OpList& list, const std::vector<bool>& on_fallback) {
  list_slots_ = list.slot_count();
  Layout layout{.tensors = {list.tensors().begin(), list.tensors().end()},
                .segment_of = CutIntoSegments(on_fallback),
                .slot_count = list_slots_};
  GiveSlots(list, layout);
  lives_on_fallback_.assign(layout.slot_count, false);
  bindings_.assign(layout.slot_count, sy_binding{sizeof(sy_binding), nullptr, 0, nullptr});
  for (std::size_t i = 0; i < list.ops().size(); ++i) {
    const sy_op& op = list.ops()[i];
    ForEachInput(op, [&](std::uint32_t input, std::uint32_t tensor) {
      if (!on_fallback[i] || !IsKvPage(op, input)) return;
      lives_on_fallback_[layout.tensors[ops::RootOf(list.tensors().data(), tensor)].slot] = true;
    });
  }
  FindCrossings(list, layout);
  return layout;
}

std::vector<std::uint32_t> Program::CutIntoSegments(const std::vector<bool>& on_fallback) {
  std::vector<std::uint32_t> segment_of;
  for (const bool here : on_fallback) {
    if (segments_.empty() || segments_.back().on_fallback != here) {
      segments_.push_back({here, nullptr, 0, {}});
    }
    segment_of.push_back(static_cast<std::uint32_t>(segments_.size() - 1));
  }
  return segment_of;
}

// A temporary that is used outside the segment that first wrote it gets a slot.
void Program::GiveSlots(const OpList& list, Layout& layout) {
  constexpr std::uint32_t kNowhere = 0xffffffffU;
  std::vector<std::uint32_t> born_in(layout.tensors.size(), kNowhere);
  const auto see = [&](std::uint32_t tensor, std::uint32_t segment) {
    const std::uint32_t root = ops::RootOf(list.tensors().data(), tensor);
    sy_tensor& t = layout.tensors[root];
    if (t.storage != SY_STORAGE_TEMPORARY) return;
    if (born_in[root] == kNowhere) {
      born_in[root] = segment;
    } else if (born_in[root] != segment) {
      t.storage = SY_STORAGE_ARGUMENT;
      t.slot = layout.slot_count++;
    }
  };
  for (std::size_t i = 0; i < list.ops().size(); ++i) {
    const std::uint32_t segment = layout.segment_of[i];
    ForEachInput(list.ops()[i], [&](std::uint32_t, std::uint32_t t) { see(t, segment); });
    ForEachOutput(list.ops()[i], [&](std::uint32_t t) { see(t, segment); });
  }
}

// Follows where each slot's newest contents are, as the segments run one after the other.
void Program::FindCrossings(const OpList& list, const Layout& layout) {
  enum class Place { kUnwritten, kChip, kFallback, kBoth };
  std::vector<Place> newest(layout.slot_count, Place::kUnwritten);
  std::fill_n(newest.begin(), list_slots_, Place::kChip);
  crossings_.resize(layout.slot_count);
  std::set<std::uint32_t> written_on_fallback;
  const auto use = [&](std::uint32_t tensor, Segment& segment, bool writes) {
    const sy_tensor& root = layout.tensors[ops::RootOf(list.tensors().data(), tensor)];
    if (root.storage != SY_STORAGE_ARGUMENT || lives_on_fallback_[root.slot]) return;
    const bool here = segment.on_fallback;
    const bool is_argument = root.slot < list_slots_;
    Crossing& crossing = crossings_[root.slot];
    crossing.bytes = ops::SpanBytes(root);
    if (here) crossing.is_on_fallback = true;
    if (!here && !is_argument) crossing.is_on_chip = true;
    Place& place = newest[root.slot];
    const Place mine = here ? Place::kFallback : Place::kChip;
    const Place other = here ? Place::kChip : Place::kFallback;
    // Also before a write: it may cover only a part.
    if (place == other) {
      segment.before.push_back(root.slot);
      placement_.report.crossing_bytes += crossing.bytes;
      place = Place::kBoth;
    }
    if (writes || place == Place::kUnwritten) place = mine;
    if (!writes || !is_argument) return;
    if (here) {
      written_on_fallback.insert(root.slot);
    } else {
      written_on_fallback.erase(root.slot);
    }
  };
  for (std::size_t i = 0; i < list.ops().size(); ++i) {
    Segment& segment = segments_[layout.segment_of[i]];
    ForEachInput(list.ops()[i], [&](std::uint32_t, std::uint32_t t) { use(t, segment, false); });
    ForEachOutput(list.ops()[i], [&](std::uint32_t t) { use(t, segment, true); });
  }
  written_back_.assign(written_on_fallback.begin(), written_on_fallback.end());
  for (const std::uint32_t slot : written_back_) {
    placement_.report.crossing_bytes += crossings_[slot].bytes;
  }
}

base::Status Program::MakeBuffers() {
  for (Crossing& crossing : crossings_) {
    if (crossing.is_on_fallback) {
      SWITCHYARD_TRY(crossing.on_fallback, Buffer::Create(*target_.fallback, crossing.bytes));
    }
    if (crossing.is_on_chip) {
      SWITCHYARD_TRY(crossing.on_chip, Buffer::Create(*target_.chip, crossing.bytes));
    }
  }
  return {};
}

base::Status Program::MakePrograms(const OpList& list, WeightTable& weights, const Layout& layout) {
  const auto ops = list.ops();
  for (std::size_t first = 0, s = 0; s < segments_.size(); ++s) {
    Segment& segment = segments_[s];
    Device& device = segment.on_fallback ? *target_.fallback : *target_.chip;
    SegmentDesc part(list, layout.tensors, weights, device);
    for (; first < ops.size() && layout.segment_of[first] == s; ++first) {
      SWITCHYARD_RETURN_IF_ERROR(part.Add(ops[first]));
    }
    const sy_program_desc desc = part.desc(layout.slot_count);
    SWITCHYARD_RETURN_IF_ERROR(
        device.chip().Check(device.api().program_create(device.handle(), &desc, &segment.program),
                            "planning a program"));
    sy_program_properties properties{};
    properties.struct_size = sizeof properties;
    SWITCHYARD_RETURN_IF_ERROR(device.chip().Check(
        device.api().program_properties(segment.program, &properties), "describing a program"));
    segment.workspace_bytes = properties.workspace_bytes;
  }
  return {};
}

Program::~Program() {
  for (const Segment& segment : segments_) {
    if (segment.program == nullptr) continue;
    const Device& device = segment.on_fallback ? *target_.fallback : *target_.chip;
    device.api().program_destroy(segment.program);
  }
}

base::Status Program::Bring(std::uint32_t slot, bool to_fallback,
                            std::span<const Argument> arguments) {
  Crossing& crossing = crossings_[slot];
  const bool is_argument = slot < list_slots_;
  const Buffer& on_chip = is_argument ? *arguments[slot].buffer : crossing.on_chip;
  const std::uint64_t offset = is_argument ? arguments[slot].offset_bytes : 0;
  // The reference has host memory, so its buffer is the staging place too.
  std::byte* host = crossing.on_fallback.host_address();
  SWITCHYARD_CHECK(host != nullptr);
  SWITCHYARD_RETURN_IF_ERROR(target_.fallback_queue->Sync());
  if (to_fallback) {
    SWITCHYARD_RETURN_IF_ERROR(target_.queue->Download(host, on_chip, offset, crossing.bytes));
  } else {
    SWITCHYARD_RETURN_IF_ERROR(target_.queue->Upload(on_chip, offset, host, crossing.bytes));
  }
  return target_.queue->Sync();
}

base::Status Program::Run(std::span<const Argument> arguments) {
  if (arguments.size() != list_slots_) {
    return Fail(ErrorCode::kInvalidArgument, "a program of {} slots was given {} arguments",
                list_slots_, arguments.size());
  }
  for (const Segment& segment : segments_) {
    for (const std::uint32_t slot : segment.before) {
      SWITCHYARD_RETURN_IF_ERROR(Bring(slot, segment.on_fallback, arguments));
    }
    for (std::uint32_t slot = 0; slot < bindings_.size(); ++slot) {
      sy_binding& binding = bindings_[slot];
      const bool is_argument = slot < list_slots_;
      binding.host_copy = is_argument ? arguments[slot].host_copy : nullptr;
      if (is_argument && segment.on_fallback == lives_on_fallback_[slot]) {
        binding.buffer = arguments[slot].buffer->handle();
        binding.offset_bytes = arguments[slot].offset_bytes;
      } else {
        const Crossing& crossing = crossings_[slot];
        binding.buffer = (segment.on_fallback ? crossing.on_fallback : crossing.on_chip).handle();
        binding.offset_bytes = 0;
      }
    }
    Queue& queue = segment.on_fallback ? *target_.fallback_queue : *target_.queue;
    SWITCHYARD_RETURN_IF_ERROR(queue.Run(segment.program, bindings_, segment.workspace_bytes));
  }
  for (const std::uint32_t slot : written_back_) {
    SWITCHYARD_RETURN_IF_ERROR(Bring(slot, false, arguments));
  }
  return {};
}

}  // namespace switchyard::device
