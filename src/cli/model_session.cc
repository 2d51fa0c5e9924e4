#include "cli/model_session.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cli/model_store.h"
#include "cli/progress_bar.h"
#include "model/footprint.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::int64_t kDefaultContext = 4096;

bool IsMatrix(const device::HostWeight& weight) { return (weight.use & SY_WEIGHT_LINEAR) != 0; }

void Tell(const SessionOptions& options, std::string_view notice) {
  while (notice.ends_with('\n')) notice.remove_suffix(1);
  if (options.on_notice) return options.on_notice(notice);
  fmt::print(stderr, "switchyard: {}\n", notice);
}

}  // namespace

void AddSessionOptions(CLI::App& command, SessionOptions& options) {
  command.add_option("MODEL", options.model, "A name, a path, hf:ORG/REPO, ms:ORG/REPO or a URL")
      ->required();
  command.add_option("--chip", options.chip, "The chip to run on; see 'switchyard chips'");
  command.add_option("--device", options.device, "Which of the chip's devices");
  command.add_option("--threads", options.threads,
                     "Threads of a chip that has them; 0: the chip decides");
  command.add_option("--chip-option", options.chip_options,
                     "A further option for the chip, NAME=VALUE; may be repeated");
  command.add_flag("--no-fallback", options.no_fallback,
                   "Refuse to run anything on the reference that the chip lacks");
  command.add_option("--context", options.context_tokens,
                     "Tokens of prompt and answer together; 0: the model's own, 4096 at most");
  command.add_option("--kv-type", options.kv_type, "Type of the KV cache: f16, f32 or bf16");
}

base::Result<tensor::DType> ParseKvType(const std::string& name) {
  const auto type = tensor::DTypeFromName(name);
  if (type && (*type == tensor::DType::kF32 || *type == tensor::DType::kF16 ||
               *type == tensor::DType::kBF16)) {
    return *type;
  }
  return Fail(ErrorCode::kInvalidArgument, "--kv-type is '{}': it must be f32, f16 or bf16", name);
}

base::Result<ChipChoice> ChooseChip(const SessionOptions& options) {
  ChipChoice choice{options.chip, options.device, {}, !options.no_fallback};
  SWITCHYARD_TRY(choice.options, ParseDeviceOptions(options.chip_options));
  if (options.threads < 0 || options.threads > 4096) {
    return Fail(ErrorCode::kInvalidArgument,
                "--threads is {}: it must lie between 0, where the chip decides, and 4096",
                options.threads);
  }
  if (options.threads > 0) {
    choice.options.push_back({"threads", std::to_string(options.threads)});
  }
  return choice;
}

base::Result<std::filesystem::path> ResolveModel(const std::string& model,
                                                 const Environment& environment) {
  SWITCHYARD_TRY(const ModelStore store, ModelStore::Create(ReadModelStoreOptions(environment)));
  ProgressBar bar(stderr);
  PullEvents events;
  events.on_progress = [&bar](const PullProgress& progress) { bar.Update(progress); };
  events.on_notice = [&bar](std::string_view notice) { bar.Say(notice); };
  auto resolved = store.Resolve(model, Freshness::kAsCached, events);
  bar.Finish();
  if (!resolved) return std::unexpected(std::move(resolved.error()));
  return resolved->path;
}

base::Result<std::unique_ptr<ModelSession>> ModelSession::Open(const SessionOptions& options,
                                                               engine::RunnerOptions runner,
                                                               const Environment& environment) {
  SWITCHYARD_TRY(const ChipChoice choice, ChooseChip(options));
  SWITCHYARD_TRY(runner.kv_dtype, ParseKvType(options.kv_type));
  SWITCHYARD_TRY(const auto path, ResolveModel(options.model, environment));

  auto session = std::make_unique<ModelSession>();
  session->path_ = path;
  session->choice_ = choice;
  SWITCHYARD_TRY(session->chip_, OpenedChip::Open(choice, environment));
  SWITCHYARD_TRY(session->model_, model::Model::Load(path));
  const std::int64_t made_for = session->model_->config().context_length;
  if (options.context_tokens != 0) {
    runner.context_tokens = options.context_tokens;
  } else {
    runner.context_tokens = std::min(made_for, std::max(runner.context_tokens, kDefaultContext));
  }
  SWITCHYARD_TRY(session->runner_,
                 engine::Runner::Create(*session->model_, session->chip_->target(), runner));
  if (const auto type = session->runner_->activation_dtype(); type != tensor::DType::kF32) {
    Tell(options, fmt::format("activations are {}: chip '{}' runs more with them than with f32",
                              tensor::Name(type), session->device().chip().name()));
  }
  const auto warn = [options, &chip = *session->chip_](std::string_view of,
                                                       const device::LoadReport& report) {
    const std::string text = report.Describe(chip.device().chip().name(), chip.fallback_name());
    if (!text.empty()) Tell(options, fmt::format("warning: {}{}", of, text));
  };
  warn("", session->runner_->report());
  session->runner_->OnLateFallback([warn](const device::LoadReport& late) {
    warn("in steps of another shape than was expected, ", late);
  });
  return session;
}

std::string WeightTypes(const model::Model& model) {
  std::map<std::string_view, std::uint64_t> bytes;
  const device::WeightTable& table = model.weights().table();
  for (ops::WeightIndex i = 0; i < table.size(); ++i) {
    bytes[tensor::Name(table.at(i).dtype)] += table.at(i).bytes.size();
  }
  std::vector<std::pair<std::uint64_t, std::string_view>> by_size;
  for (const auto& [type, size] : bytes) by_size.emplace_back(size, type);
  std::ranges::sort(by_size, std::greater<>());
  std::string types;
  for (const auto& [size, type] : by_size) {
    types += types.empty() ? "" : ", ";
    types += type;
  }
  return types;
}

double ModelSession::DecodeBytes(double depth) const {
  const device::WeightTable& table = model_->weights().table();
  double bytes = depth * static_cast<double>(runner_->kv_shape().BytesPerToken());
  for (const auto& prepared : table.PreparedOn(chip_->device())) {
    const device::HostWeight& weight = table.at(prepared.index);
    if (!IsMatrix(weight)) continue;
    bytes += weight.dims.size() < 3 ? static_cast<double>(prepared.properties.read_bytes)
                                    : static_cast<double>(prepared.properties.memory_bytes) *
                                          model::UsedShare(weight, model_->config());
  }
  return bytes;
}

double ModelSession::FlopPerToken() const {
  const device::WeightTable& table = model_->weights().table();
  double flop = 0;
  for (ops::WeightIndex i = 0; i < table.size(); ++i) {
    const device::HostWeight& weight = table.at(i);
    if (!IsMatrix(weight) || weight.dims.front() == model_->config().vocabulary) continue;
    double elements = 1;
    for (const std::int64_t dim : weight.dims) elements *= static_cast<double>(dim);
    flop += 2 * elements * model::UsedShare(weight, model_->config());
  }
  return flop;
}

}  // namespace switchyard::cli
