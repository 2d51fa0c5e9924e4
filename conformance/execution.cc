#include "conformance/execution.h"

#include <algorithm>
#include <cstring>

#include "ops/op_rules.h"
#include "ops/tensor_span.h"

namespace switchyard::conformance {
namespace {

using base::ErrorCode;
using base::Fail;

// No type's elements are this over and over but NaN, so an element that is read by mistake shows.
constexpr std::byte kGuard{0xff};
constexpr std::uint64_t kGuardBytes = 256;

// Where row `row` of a tensor lies from its first element.
std::uint64_t RowOffset(const sy_tensor& tensor, std::int64_t row) {
  std::int64_t offset = 0;
  for (std::uint32_t i = tensor.rank - 1; i-- > 0;) {
    offset += row % tensor.dims[i] * tensor.strides[i];
    row /= tensor.dims[i];
  }
  return static_cast<std::uint64_t>(offset);
}

void Scatter(const sy_tensor& tensor, std::span<const std::byte> dense, std::byte* to) {
  const std::uint64_t row_bytes = ops::RowBytes(tensor);
  for (std::int64_t row = 0; row < ops::RowCount(tensor); ++row) {
    std::memcpy(to + RowOffset(tensor, row),
                dense.data() + static_cast<std::uint64_t>(row) * row_bytes, row_bytes);
  }
}

std::vector<std::byte> Gather(const sy_tensor& tensor, const std::byte* from) {
  const std::uint64_t row_bytes = ops::RowBytes(tensor);
  const std::int64_t rows = ops::RowCount(tensor);
  std::vector<std::byte> dense(row_bytes * static_cast<std::uint64_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    std::memcpy(dense.data() + static_cast<std::uint64_t>(row) * row_bytes,
                from + RowOffset(tensor, row), row_bytes);
  }
  return dense;
}

}  // namespace

base::Result<std::unique_ptr<Execution>> Execution::Prepare(Session& session,
                                                            const Scenario& scenario,
                                                            Grouping grouping) {
  if (const base::Status valid = ops::Validate(scenario.desc()); !valid) {
    return base::Rethrow(valid.error(), "the suite's own program is wrong");
  }
  std::unique_ptr<Execution> execution(new Execution(session, scenario));
  execution->tensors_ = scenario.tensors;
  execution->slot_count_ = scenario.desc().slot_count;
  if (grouping == Grouping::kProgramForEach) execution->SeparateTemporaries();
  SWITCHYARD_RETURN_IF_ERROR(execution->AskSupport());
  SWITCHYARD_RETURN_IF_ERROR(execution->PrepareWeights());
  if (const base::Status created = execution->CreatePrograms(grouping); !created) {
    if (created.error().code != ErrorCode::kUnimplemented) return std::unexpected(created.error());
    return Fail(ErrorCode::kInternal, "op_supported is 1 for every operation, but {}",
                created.error().message);
  }
  SWITCHYARD_RETURN_IF_ERROR(execution->PrepareArguments());
  return execution;
}

sy_program_desc Execution::desc() const {
  sy_program_desc desc = scenario_->desc();
  desc.tensors = tensors_.data();
  desc.slot_count = slot_count_;
  return desc;
}

void Execution::SeparateTemporaries() {
  for (sy_tensor& tensor : tensors_) {
    if (tensor.storage != SY_STORAGE_TEMPORARY) continue;
    tensor.storage = SY_STORAGE_ARGUMENT;
    tensor.slot = slot_count_++;
  }
}

base::Status Execution::AskSupport() {
  const sy_program_desc asked = desc();
  for (std::uint32_t op = 0; op < asked.op_count; ++op) {
    if (session_->api().op_supported(session_->device(), &asked, op) == 1) continue;
    const std::string reason = session_->api().last_error();
    // Weights are not needed to refuse.
    sy_program* program = nullptr;
    const sy_status status = session_->api().program_create(session_->device(), &asked, &program);
    const std::string_view name = ops::OpName(asked.ops[op].kind);
    constexpr sy_status kWanted = SY_UNIMPLEMENTED;
    if (status != kWanted) {
      return Fail(
          ErrorCode::kInternal,
          "op_supported is 0 for op {} ({}: {}), but program_create gives status {}, not {}", op,
          name, reason, status, kWanted);
    }
    if (reason.empty()) {
      return Fail(ErrorCode::kInternal, "op_supported is 0 for op {} ({}), but last_error is empty",
                  op, name);
    }
    return Fail(ErrorCode::kUnimplemented, "{}", reason);
  }
  return {};
}

base::Status Execution::PrepareWeights() {
  for (std::uint32_t i = 0; i < tensors_.size(); ++i) {
    if (tensors_[i].storage != SY_STORAGE_WEIGHT) continue;
    const WeightContents& contents = scenario_->weight(i);
    sy_weight_desc desc{};
    desc.struct_size = sizeof desc;
    desc.dtype = tensors_[i].dtype;
    desc.rank = tensors_[i].rank;
    std::copy_n(tensors_[i].dims, SY_MAX_RANK, desc.dims);
    desc.use = contents.use;
    desc.data = contents.bytes.data();
    desc.data_bytes = contents.bytes.size();
    SWITCHYARD_TRY(Handle<sy_weight> weight, session_->CreateWeight(desc));
    tensors_[i].weight = weight.get();
    weights_.push_back(std::move(weight));
  }
  return {};
}

base::Status Execution::CreatePrograms(Grouping grouping) {
  std::vector<sy_program_desc> descs = {desc()};
  if (grouping == Grouping::kProgramForEach) {
    descs.clear();
    for (const sy_op& op : scenario_->ops) {
      descs.push_back(desc());
      descs.back().ops = &op;
      descs.back().op_count = 1;
    }
  }
  for (const sy_program_desc& one : descs) {
    SWITCHYARD_TRY(Handle<sy_program> program, session_->CreateProgram(one));
    sy_program_properties properties{};
    properties.struct_size = sizeof properties;
    SWITCHYARD_RETURN_IF_ERROR(session_->Check(
        session_->api().program_properties(program.get(), &properties), "program_properties"));
    workspace_bytes_ = std::max(workspace_bytes_, properties.workspace_bytes);
    programs_.push_back(std::move(program));
  }
  if (workspace_bytes_ > 0) {
    SWITCHYARD_TRY(workspace_, session_->CreateBuffer(workspace_bytes_));
  }
  return {};
}

base::Status Execution::PrepareArguments() {
  argument_tensors_.resize(slot_count_);
  is_borrowed_.resize(slot_count_, false);
  for (const sy_tensor& tensor : tensors_) {
    if (tensor.storage == SY_STORAGE_ARGUMENT) argument_tensors_[tensor.slot] = &tensor;
  }
  const std::uint64_t alignment = session_->properties().alignment_bytes;
  for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
    sy_binding binding{};
    binding.struct_size = sizeof binding;
    const sy_tensor* tensor = argument_tensors_[slot];
    SWITCHYARD_CHECK(tensor != nullptr);
    // Every other argument begins somewhere inside its buffer.
    binding.offset_bytes = (kGuardBytes + alignment - 1) / alignment * alignment * (slot % 2);
    const std::uint64_t span = ops::SpanBytes(*tensor);
    std::vector<std::byte> image(binding.offset_bytes + span + kGuardBytes, kGuard);
    const std::span<const std::byte> contents = scenario_->contents(slot);
    if (!contents.empty()) Scatter(*tensor, contents, image.data() + binding.offset_bytes);
    SWITCHYARD_TRY(Handle<sy_buffer> buffer, session_->CreateBuffer(image.size()));
    binding.buffer = buffer.get();
    if (scenario_->has_host_copy(slot)) binding.host_copy = contents.data();
    buffers_.push_back(std::move(buffer));
    images_.push_back(std::move(image));
    bindings_.push_back(binding);
  }
  return {};
}

void Execution::Borrow(Tensor argument, const Execution& lender, Tensor lent) {
  const std::uint32_t slot = tensors_[argument.index].slot;
  bindings_[slot] = lender.binding(lent);
  is_borrowed_[slot] = true;
}

base::Status Execution::FillArguments(sy_queue* queue) {
  const sy_chip_api& api = session_->api();
  for (std::size_t slot = 0; slot < buffers_.size(); ++slot) {
    if (is_borrowed_[slot]) continue;
    SWITCHYARD_RETURN_IF_ERROR(session_->Check(
        api.upload(queue, buffers_[slot].get(), 0, images_[slot].data(), images_[slot].size()),
        "upload"));
  }
  if (workspace_bytes_ > 0) {
    SWITCHYARD_RETURN_IF_ERROR(session_->Check(
        api.fill(queue, workspace_.get(), 0, static_cast<std::uint8_t>(kGuard), workspace_bytes_),
        "fill"));
  }
  return {};
}

base::Status Execution::Launch(sy_queue* queue) {
  for (const Handle<sy_program>& program : programs_) {
    SWITCHYARD_RETURN_IF_ERROR(
        session_->Check(session_->api().program_run(program.get(), bindings_.data(),
                                                    static_cast<std::uint32_t>(bindings_.size()),
                                                    workspace_.get(), 0, queue),
                        "program_run"));
  }
  return {};
}

base::Result<Outputs> Execution::ReadResults(sy_queue* queue) {
  const sy_chip_api& api = session_->api();
  std::vector<std::vector<std::byte>> after(buffers_.size());
  for (std::size_t slot = 0; slot < buffers_.size(); ++slot) {
    after[slot].resize(images_[slot].size());
    SWITCHYARD_RETURN_IF_ERROR(session_->Check(
        api.download(queue, after[slot].data(), buffers_[slot].get(), 0, after[slot].size()),
        "download"));
  }
  SWITCHYARD_RETURN_IF_ERROR(
      session_->Check(api.queue_sync(queue), "queue_sync after program_run"));
  Outputs outputs;
  std::vector<bool> is_result(buffers_.size(), false);
  for (const Result& result : scenario_->results()) {
    const sy_tensor& tensor = tensors_[result.tensor.index];
    is_result[tensor.slot] = true;
    outputs.push_back(
        Gather(tensor, after[tensor.slot].data() + bindings_[tensor.slot].offset_bytes));
  }
  for (std::uint32_t slot = 0; slot < buffers_.size(); ++slot) {
    // What may change becomes what it was; then nothing else may differ.
    if (is_borrowed_[slot]) continue;
    const sy_tensor& tensor = *argument_tensors_[slot];
    const std::uint64_t offset = bindings_[slot].offset_bytes;
    const bool was_temporary = slot >= scenario_->desc().slot_count;
    if (scenario_->is_pages(slot) || was_temporary) {
      std::copy_n(images_[slot].begin() + static_cast<std::ptrdiff_t>(offset),
                  ops::SpanBytes(tensor),
                  after[slot].begin() + static_cast<std::ptrdiff_t>(offset));
    } else if (is_result[slot]) {
      Scatter(tensor, Gather(tensor, images_[slot].data() + offset), after[slot].data() + offset);
    }
    const auto changed = std::ranges::mismatch(after[slot], images_[slot]).in1;
    if (changed != after[slot].end()) {
      return Fail(
          ErrorCode::kDataLoss,
          "the run changed byte {} of slot {}'s buffer, which no operation writes; the tensor "
          "begins at byte {} and covers {}",
          changed - after[slot].begin(), slot, offset, ops::SpanBytes(tensor));
    }
  }
  return outputs;
}

base::Result<Outputs> Execution::Run(sy_queue* queue) {
  if (queue == nullptr) queue = session_->queue();
  SWITCHYARD_RETURN_IF_ERROR(FillArguments(queue));
  SWITCHYARD_RETURN_IF_ERROR(Launch(queue));
  return ReadResults(queue);
}

}  // namespace switchyard::conformance
