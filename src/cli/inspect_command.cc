#include "cli/inspect_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>

#include "cli/model_session.h"
#include "cli/progress_bar.h"
#include "ops/op_rules.h"

namespace switchyard::cli {
namespace {

using base::Json;

struct InspectOptions {
  std::string model;
  std::int64_t context_tokens = 0;
  bool json = false;
};

struct TypeTotal {
  std::int64_t tensors = 0;
  std::uint64_t bytes = 0;
};

// Of the whole file, embeddings included.
struct Totals {
  double parameters = 0;
  std::uint64_t weight_bytes = 0;
  double decode_bytes = 0;  // read for each decoded token, without the cache
  std::map<std::string_view, TypeTotal> types;
};

Totals Count(const model::ModelConfig& config, const device::WeightTable& table) {
  Totals totals;
  for (ops::WeightIndex i = 0; i < table.size(); ++i) {
    const device::HostWeight& weight = table.at(i);
    double elements = 1;
    for (const std::int64_t dim : weight.dims) elements *= static_cast<double>(dim);
    totals.parameters += elements;
    totals.weight_bytes += weight.bytes.size();
    TypeTotal& type = totals.types[tensor::Name(weight.dtype)];
    ++type.tensors;
    type.bytes += weight.bytes.size();
    if ((weight.use & SY_WEIGHT_LINEAR) == 0) continue;
    const bool experts = weight.dims.size() == 3 && config.experts.count > 0;
    totals.decode_bytes += static_cast<double>(weight.bytes.size()) *
                           (experts ? static_cast<double>(config.experts.used) /
                                          static_cast<double>(config.experts.count)
                                    : 1.0);
  }
  return totals;
}

std::uint64_t KvBytesPerToken(const model::ModelConfig& config) {
  constexpr std::uint64_t kHalf = 2;  // the default cache is f16
  return static_cast<std::uint64_t>(config.layers * config.kv_heads *
                                    (config.key_dim + config.value_dim)) *
         kHalf;
}

// Which operations a chip lacks for this model, "2 x linear q2_k: reason".
base::Result<std::vector<std::string>> Lacks(model::Model& model,
                                             const device::ProbedChip& probed) {
  SWITCHYARD_TRY(const device::Chip chip, device::Chip::Load(probed.plugin));
  SWITCHYARD_TRY(const auto device, device::Device::Open(chip, 0, {}));
  const auto multiple = std::max<std::int64_t>(1, device->properties().kv_page_multiple);
  std::map<std::string, int> counts;
  for (const std::int64_t tokens : {1, 64}) {
    SWITCHYARD_TRY(const model::Forward forward,
                   model::BuildForward(model.config(), model.weights(),
                                       {.tokens = tokens,
                                        .sequences = 1,
                                        .logit_rows = 1,
                                        .pages = 64,
                                        .page_size = 32 * multiple,
                                        .pages_per_sequence = 64},
                                       {}));
    const sy_program_desc desc = forward.ops.desc();
    for (std::uint32_t i = 0; i < desc.op_count; ++i) {
      if (device->api().op_supported(device->handle(), &desc, i) != 0) continue;
      const char* reason = device->api().last_error();
      ++counts[fmt::format("{} ({} token{}): {}", ops::OpName(desc.ops[i].kind), tokens,
                           tokens == 1 ? "" : "s", reason == nullptr ? "no reason" : reason)];
    }
  }
  std::vector<std::string> lacks;
  for (const auto& [what, count] : counts) lacks.push_back(fmt::format("{} x {}", count, what));
  return lacks;
}

// One chip's verdict.
struct Verdict {
  std::string chip;
  bool fits = false;
  bool complete = false;
  std::string words;
  std::vector<std::string> lacks;
};

std::vector<Verdict> Judge(model::Model& model, std::uint64_t needed_bytes,
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
    } else if (auto lacks = Lacks(model, chip); !lacks) {
      verdict.words = lacks.error().message;
    } else {
      verdict.lacks = std::move(*lacks);
      verdict.complete = verdict.lacks.empty();
      verdict.fits = chip.devices.front().memory_bytes >= needed_bytes;
      verdict.words = fmt::format(
          "{}; {}", verdict.complete ? "runs every operation" : "lacks operations",
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
  const Totals totals = Count(config, model->weights().table());
  const std::int64_t context = options.context_tokens > 0
                                   ? options.context_tokens
                                   : std::min<std::int64_t>(config.context_length, 4096);
  if (context > config.context_length) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "--context is {} and this model was made for {} tokens", context,
                      config.context_length);
  }
  const std::uint64_t kv_bytes = KvBytesPerToken(config) * static_cast<std::uint64_t>(context);
  const std::uint64_t needed = totals.weight_bytes + kv_bytes;
  const auto verdicts = Judge(*model, needed, environment);

  if (options.json) {
    Json json{{"model", options.model},
              {"path", path.string()},
              {"name", config.name},
              {"architecture", model::Name(config.architecture)},
              {"parameters", totals.parameters},
              {"layers", config.layers},
              {"hidden", config.hidden},
              {"heads", config.heads},
              {"kv_heads", config.kv_heads},
              {"vocabulary", config.vocabulary},
              {"experts", config.experts.count},
              {"experts_used", config.experts.used},
              {"context_length", config.context_length},
              {"weight_bytes", totals.weight_bytes},
              {"decode_bytes_per_token", totals.decode_bytes},
              {"kv_bytes_per_token", KvBytesPerToken(config)},
              {"context", context},
              {"memory_bytes", needed},
              {"types", Json::object()},
              {"chips", Json::array()}};
    for (const auto& [type, total] : totals.types) {
      json["types"][std::string(type)] = {{"tensors", total.tensors}, {"bytes", total.bytes}};
    }
    for (const Verdict& verdict : verdicts) {
      json["chips"].push_back({{"chip", verdict.chip},
                               {"fits", verdict.fits},
                               {"complete", verdict.complete},
                               {"verdict", verdict.words},
                               {"lacks", verdict.lacks}});
    }
    fmt::print("{}\n", json.dump(2));
    return {};
  }

  fmt::print("{}{}{}\n", path.string(), config.name.empty() ? "" : ": ", config.name);
  fmt::print("  architecture      {}, {:.1f} M parameters\n", model::Name(config.architecture),
             totals.parameters / 1e6);
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
  for (const auto& [type, total] : totals.types) {
    fmt::print("  {:<17} {} in {} tensors\n", type, FormatBytes(total.bytes), total.tensors);
  }
  fmt::print("  a token reads     {} of weights, and {} of cache for each token before it\n",
             FormatBytes(static_cast<std::uint64_t>(totals.decode_bytes)),
             FormatBytes(KvBytesPerToken(config)));
  fmt::print("  memory            {} at a context of {} tokens ({} weights, {} f16 cache)\n",
             FormatBytes(needed), context, FormatBytes(totals.weight_bytes), FormatBytes(kv_bytes));
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
