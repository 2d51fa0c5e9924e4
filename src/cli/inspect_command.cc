#include "cli/inspect_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>

#include "base/json.h"
#include "cli/model_session.h"
#include "cli/progress_bar.h"
#include "device/program.h"
#include "engine/runner.h"
#include "model/footprint.h"

namespace switchyard::cli {
namespace {

using base::Json;

constexpr tensor::DType kKvType = tensor::DType::kF16;  // of the default cache

struct InspectOptions {
  std::string model;
  std::int64_t context_tokens = 0;
  bool json = false;
};

// What a chip would do of a model.
struct Ability {
  tensor::DType activations = tensor::DType::kF32;  // those that a runner would choose
  std::vector<std::string> lacks;  // "in a step of 1 token: 2 x linear q2_k: reason"
};

base::Result<Ability> AbilityOf(const model::Model& model, const device::ProbedChip& probed) {
  SWITCHYARD_TRY(const device::Chip chip, device::Chip::Load(probed.plugin));
  SWITCHYARD_TRY(const auto device, device::Device::Open(chip, 0, {}));
  const auto multiple = std::max<std::int64_t>(1, device->properties().kv_page_multiple);
  const auto shape_of = [&](std::int64_t tokens) {
    return model::ForwardShape{.tokens = tokens,
                               .sequences = 1,
                               .logit_rows = 1,
                               .pages = 64,
                               .page_size = 32 * multiple,
                               .pages_per_sequence = 64};
  };
  const std::array shapes{shape_of(1), shape_of(64)};
  Ability ability;
  SWITCHYARD_TRY(ability.activations, engine::ChooseActivations(model, *device, shapes, kKvType));
  for (const model::ForwardShape& shape : shapes) {
    SWITCHYARD_TRY(
        const model::Forward forward,
        model::BuildForward(model.config(), model.weights(), shape,
                            {.activation_dtype = ability.activations, .kv_dtype = kKvType}));
    for (const device::FallbackNote& note : device::Lacking(forward.ops, *device)) {
      ability.lacks.push_back(fmt::format("in a step of {} token{}: {}", shape.tokens,
                                          shape.tokens == 1 ? "" : "s", note.Describe()));
    }
  }
  return ability;
}

// One chip's verdict.
struct Verdict {
  std::string chip;
  bool fits = false;
  bool complete = false;
  std::string words;
  std::vector<std::string> lacks;
};

std::vector<Verdict> Judge(const model::Model& model, std::uint64_t needed_bytes,
                           const Environment& environment) {
  std::vector<Verdict> verdicts;
  for (const device::ProbedChip& chip : ProbeAll(environment)) {
    Verdict verdict{chip.name, false, false, "", {}};
    if (!chip.problem.empty()) {
      verdict.words = "cannot be used: " + chip.problem;
    } else if (chip.devices.empty()) {
      verdict.words = "no device on this machine";
    } else if ((chip.devices.front().flags & SY_DEVICE_COMPUTES_NOTHING) != 0) {
      continue;
    } else if (auto ability = AbilityOf(model, chip); !ability) {
      verdict.words = ability.error().message;
    } else {
      verdict.lacks = std::move(ability->lacks);
      verdict.complete = verdict.lacks.empty();
      verdict.fits = chip.devices.front().memory_bytes >= needed_bytes;
      verdict.words = fmt::format(
          "{} in {}; {}", verdict.complete ? "runs every operation" : "lacks operations",
          tensor::Name(ability->activations),
          verdict.fits
              ? "memory suffices"
              : fmt::format("memory is too small by {}",
                            FormatBytes(needed_bytes - chip.devices.front().memory_bytes)));
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

base::Status Inspect(const InspectOptions& options, const Environment& environment) {
  SWITCHYARD_TRY(const auto path, ResolveModel(options.model, environment));
  SWITCHYARD_TRY(const auto model, model::Model::Load(path));
  const model::ModelConfig& config = model->config();
  SWITCHYARD_TRY(const model::Footprint footprint,
                 model::MeasureFootprint(config, model->weights(), kKvType));
  const std::int64_t context = options.context_tokens > 0
                                   ? options.context_tokens
                                   : std::min<std::int64_t>(config.context_length, 4096);
  if (context > config.context_length) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "--context is {} and this model was made for {} tokens", context,
                      config.context_length);
  }
  const std::uint64_t kv_bytes = footprint.kv_bytes_per_token * static_cast<std::uint64_t>(context);
  const std::uint64_t needed = footprint.weight_bytes + kv_bytes;
  const auto verdicts = Judge(*model, needed, environment);

  if (options.json) {
    Json json{{"model", options.model},
              {"path", path.string()},
              {"name", config.name},
              {"architecture", model::Name(config.architecture)},
              {"parameters", footprint.parameters},
              {"layers", config.layers},
              {"hidden", config.hidden},
              {"heads", config.heads},
              {"kv_heads", config.kv_heads},
              {"vocabulary", config.vocabulary},
              {"experts", config.experts.count},
              {"experts_used", config.experts.used},
              {"context_length", config.context_length},
              {"weight_bytes", footprint.weight_bytes},
              {"decode_bytes_per_token", footprint.TotalReadBytesPerToken()},
              {"kv_bytes_per_token", footprint.kv_bytes_per_token},
              {"context", context},
              {"memory_bytes", needed},
              {"types", Json::object()},
              {"chips", Json::array()}};
    for (const auto& [type, total] : footprint.types) {
      json["types"][std::string(tensor::Name(type))] = {{"tensors", total.tensors},
                                                        {"bytes", total.bytes}};
    }
    for (const Verdict& verdict : verdicts) {
      json["chips"].push_back({{"chip", verdict.chip},
                               {"fits", verdict.fits},
                               {"complete", verdict.complete},
                               {"verdict", verdict.words},
                               {"lacks", verdict.lacks}});
    }
    fmt::print("{}\n", base::WriteJson(json, 2));
    return {};
  }

  fmt::print("{}{}{}\n", path.string(), config.name.empty() ? "" : ": ", config.name);
  fmt::print("  architecture      {}, {:.1f} M parameters\n", model::Name(config.architecture),
             static_cast<double>(footprint.parameters) / 1e6);
  fmt::print(
      "  shape             {} layers, hidden {}, {} heads over {} key/value heads of {}, "
      "vocabulary {}\n",
      config.layers, config.hidden, config.heads, config.kv_heads, config.key_dim,
      config.vocabulary);
  if (config.experts.count > 0) {
    fmt::print("  experts           {} of {} for each token\n", config.experts.used,
               config.experts.count);
  }
  fmt::print("  made for          {} tokens\n", config.context_length);
  for (const auto& [type, total] : footprint.types) {
    fmt::print("  {:<17} {} in {} tensors\n", tensor::Name(type), FormatBytes(total.bytes),
               total.tensors);
  }
  fmt::print("  a token reads     {} of weights, and {} of cache for each token before it\n",
             FormatBytes(footprint.TotalReadBytesPerToken()),
             FormatBytes(footprint.kv_bytes_per_token));
  fmt::print("  memory            {} at a context of {} tokens ({} weights, {} f16 cache)\n",
             FormatBytes(needed), context, FormatBytes(footprint.weight_bytes),
             FormatBytes(kv_bytes));
  fmt::print("chips\n");
  for (const Verdict& verdict : verdicts) {
    fmt::print("  {:<17} {}\n", verdict.chip, verdict.words);
    for (const std::string& lack : verdict.lacks) fmt::print("    {}\n", lack);
  }
  return {};
}

}  // namespace

void AddInspectCommand(CommandLine& line, const Environment& environment) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App& command =
      line.Add("inspect", "Tells what a model is, what it costs and which chips could run it.",
               [options, &environment] { return Inspect(*options, environment); });
  command.add_option("MODEL", options->model, "A name, a path, hf:ORG/REPO, ms:ORG/REPO or a URL")
      ->required();
  command.add_option("--context", options->context_tokens, "Tokens to count memory for");
  command.add_flag("--json", options->json, "Print JSON");
}

}  // namespace switchyard::cli
