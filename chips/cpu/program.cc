#include "program.h"

#include <algorithm>

#include "device.h"

namespace switchyard::cpu {
namespace {

class ProgramJob : public Job {
 public:
  ProgramJob(std::vector<std::unique_ptr<Stage>>& stages, RunContext& context)
      : stages_(stages), context_(context) {}
  int stage_count() const override { return static_cast<int>(stages_.size()); }
  std::int64_t Open(int stage) override {
    // The checks come before the first stage, inside the team's turn, since runs share the plan.
    return stages_[static_cast<std::size_t>(stage)]->Open(context_);
  }
  void Run(int stage, std::int64_t begin, std::int64_t end, int thread) override {
    stages_[static_cast<std::size_t>(stage)]->Run(context_, begin, end, thread);
  }

 private:
  std::vector<std::unique_ptr<Stage>>& stages_;
  RunContext& context_;
};

Status Bind(const Plan& plan, const sy_binding* bindings, std::uint32_t binding_count,
            RunContext& context) {
  if (binding_count < plan.slot_count || (bindings == nullptr && plan.slot_count > 0)) {
    return Fail(SY_INVALID_ARGUMENT, "%u bindings were given for %u slots", binding_count,
                plan.slot_count);
  }
  // The first slot may be unused and all zero; then the elements are as large as we know them.
  std::size_t binding_bytes = sizeof(sy_binding);
  if (plan.slot_count > 0 && bindings->struct_size > binding_bytes) {
    binding_bytes = bindings->struct_size;
  }
  for (std::size_t i = 0; i < plan.roots.size(); ++i) {
    const Root& root = plan.roots[i];
    if (root.kind != RootKind::kArgument) continue;
    const auto& binding =
        *reinterpret_cast<const sy_binding*>(reinterpret_cast<const char*>(bindings) +
                                             static_cast<std::size_t>(root.slot) * binding_bytes);
    if (binding.struct_size < sizeof(sy_binding)) {
      return Fail(SY_INVALID_ARGUMENT,
                  "the binding of slot %u, of %u bytes, is older than version 1", root.slot,
                  binding.struct_size);
    }
    if (binding.buffer == nullptr) {
      return Fail(SY_INVALID_ARGUMENT, "slot %u is not bound to a buffer", root.slot);
    }
    const std::uint64_t size = binding.buffer->memory.size();
    if (binding.offset_bytes > size ||
        size - binding.offset_bytes < static_cast<std::uint64_t>(root.bytes)) {
      return Fail(SY_INVALID_ARGUMENT,
                  "slot %u needs %lld bytes, but its buffer of %llu has fewer from byte %llu",
                  root.slot, static_cast<long long>(root.bytes),
                  static_cast<unsigned long long>(size),
                  static_cast<unsigned long long>(binding.offset_bytes));
    }
    if (binding.offset_bytes % kAlignment != 0) {
      return Fail(SY_INVALID_ARGUMENT, "slot %u is bound at byte %llu, not a multiple of %llu",
                  root.slot, static_cast<unsigned long long>(binding.offset_bytes),
                  static_cast<unsigned long long>(kAlignment));
    }
    context.bases[i] = binding.buffer->memory.data() + binding.offset_bytes;
    context.host_copies[i] = static_cast<const char*>(binding.host_copy);
  }
  return {};
}

}  // namespace

Status RunProgram(sy_program& program, const sy_binding* bindings, std::uint32_t binding_count,
                  sy_buffer* workspace, std::uint64_t workspace_offset) {
  Plan& plan = program.plan;
  const auto need = static_cast<std::uint64_t>(plan.workspace_bytes);
  if (need > 0 && (workspace == nullptr || workspace_offset > workspace->memory.size() ||
                   workspace->memory.size() - workspace_offset < need)) {
    return Fail(SY_INVALID_ARGUMENT, "the workspace has fewer than the %llu bytes needed",
                static_cast<unsigned long long>(need));
  }
  RunContext context;
  context.kernels = program.device->kernels;
  context.threads = program.device->team->threads();
  context.roots = &plan.roots;
  context.bases.resize(plan.roots.size());
  context.host_copies.resize(plan.roots.size());
  char* base = need > 0 ? workspace->memory.data() + workspace_offset : nullptr;
  for (std::size_t i = 0; i < plan.roots.size(); ++i) {
    if (plan.workspace_offsets[i] >= 0) context.bases[i] = base + plan.workspace_offsets[i];
  }
  context.scratch = base + plan.scratch_offset;
  context.scratch_bytes = plan.scratch_bytes;
  SWITCHYARD_CPU_RETURN_IF_ERROR(Bind(plan, bindings, binding_count, context));
  for (const auto& stage : plan.stages) {
    SWITCHYARD_CPU_RETURN_IF_ERROR(stage->Check(context));
  }
  ProgramJob job(plan.stages, context);
  program.device->team->Run(job);
  return context.failure();
}

}  // namespace switchyard::cpu
