#include "cli/chips_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/json.h"
#include "cli/ceilings.h"
#include "cli/local_chips.h"

namespace switchyard::cli {
namespace {

struct ChipsOptions {
  bool json = false;
  bool no_measure = false;
  bool fresh = false;
  std::vector<std::string> chip_options;
};

std::string Notes(const sy_device_properties& device) {
  std::string notes;
  const auto add = [&](sy_device_flags flag, std::string_view words) {
    if ((device.flags & flag) == 0) return;
    notes += notes.empty() ? "" : ", ";
    notes += words;
  };
  add(SY_DEVICE_COMPUTES_NOTHING, "computes nothing");
  add(SY_DEVICE_REFERENCE, "plain reference");
  add(SY_DEVICE_BATCH_INVARIANT, "batch-invariant");
  add(SY_DEVICE_HOST_MEMORY, "host memory");
  return notes;
}

base::Json ToJson(const device::ProbedChip& chip) {
  base::Json json{{"chip", chip.name}, {"plugin", chip.plugin.string()}};
  if (!chip.problem.empty()) json["problem"] = chip.problem;
  json["devices"] = base::Json::array();
  for (const sy_device_properties& device : chip.devices) {
    json["devices"].push_back({{"name", device.name},
                               {"maker", device.maker},
                               {"architecture", device.architecture},
                               {"memory_bytes", device.memory_bytes},
                               {"units", device.unit_count},
                               {"kv_page_multiple", device.kv_page_multiple},
                               {"notes", Notes(device)},
                               {"proof", ProofName(device.proof)}});
  }
  return json;
}

base::Result<Ceilings> CeilingsOf(const device::ProbedChip& chip, std::uint32_t index,
                                  const ChipsOptions& options, const Environment& environment) {
  SWITCHYARD_TRY(const auto device_options, ParseDeviceOptions(options.chip_options));
  SWITCHYARD_TRY(const device::Chip loaded,
                 device::Chip::Load(chip.plugin, KernelCacheFolder(environment, chip.name)));
  SWITCHYARD_TRY(const auto device, device::Device::Open(loaded, index, device_options));
  return MeasureCeilings(*device, environment.CacheFolder() / "switchyard",
                         options.fresh ? CeilingSource::kMeasureNow : CeilingSource::kRemembered);
}

void Print(const device::ProbedChip& chip) {
  if (!chip.problem.empty()) {
    fmt::print("{}\n  cannot be used: {}\n  plugin {}\n", chip.name, chip.problem,
               chip.plugin.string());
    return;
  }
  if (chip.devices.empty()) fmt::print("{}\n  no device on this machine\n", chip.name);
}

void Print(const device::ProbedChip& chip, std::size_t index) {
  const sy_device_properties& device = chip.devices[index];
  fmt::print("{}{}\n", chip.name, index == 0 ? "" : fmt::format(":{}", index));
  fmt::print("  device        {} ({})\n", device.name, device.maker);
  fmt::print("  code path     {}, {} units\n", device.architecture, device.unit_count);
  fmt::print("  memory        {:.1f} GiB\n", static_cast<double>(device.memory_bytes) / 0x1p30);
  fmt::print("  proven        {}\n", ProofName(device.proof));
  if (const std::string notes = Notes(device); !notes.empty()) {
    fmt::print("  notes         {}\n", notes);
  }
}

void Print(const Ceilings& ceilings) {
  if (ceilings.memory_gb_s) fmt::print("  memory read   {:.1f} GB/s\n", *ceilings.memory_gb_s);
  for (const auto& [type, value] : ceilings.gflop_s) {
    fmt::print("  {:<13} {:.0f} GFLOP/s\n", type, value);
  }
  if (!ceilings.memory_gb_s && ceilings.gflop_s.empty()) {
    fmt::print("  ceilings      this chip does not measure itself\n");
  }
}

base::Status RunChips(const ChipsOptions& options, const Environment& environment) {
  const auto chips = ProbeAll(environment);
  if (options.json) {
    base::Json all = base::Json::array();
    for (const auto& chip : chips) {
      base::Json json = ToJson(chip);
      for (std::size_t i = 0; !options.no_measure && i < chip.devices.size(); ++i) {
        auto ceilings = CeilingsOf(chip, static_cast<std::uint32_t>(i), options, environment);
        if (ceilings) {
          json["devices"][i]["ceiling"] = cli::ToJson(*ceilings);
        } else {
          json["devices"][i]["problem"] = ceilings.error().message;
        }
      }
      all.push_back(std::move(json));
    }
    fmt::print("{}\n", base::WriteJson(all, 2));
    return {};
  }
  for (const auto& chip : chips) {
    Print(chip);
    for (std::size_t i = 0; i < chip.devices.size(); ++i) {
      Print(chip, i);
      if (options.no_measure) continue;
      const bool terminal = ::isatty(STDERR_FILENO) != 0;
      if (terminal) fmt::print(stderr, "  measuring ...\r");
      std::fflush(stderr);
      auto ceilings = CeilingsOf(chip, static_cast<std::uint32_t>(i), options, environment);
      if (terminal) fmt::print(stderr, "                \r");
      if (ceilings) {
        Print(*ceilings);
      } else {
        fmt::print("  cannot be opened: {}\n", ceilings.error().message);
      }
    }
  }
  if (chips.empty()) {
    return base::Fail(base::ErrorCode::kNotFound,
                      "no chip plugin was found; build the chips, or set SWITCHYARD_CHIP_PATH to "
                      "the folder that has them");
  }
  return {};
}

}  // namespace

void AddChipsCommand(CommandLine& line, const Environment& environment) {
  const auto options = std::make_shared<ChipsOptions>();
  CLI::App& command =
      line.Add("chips", "Lists every chip found, with its measured ceilings and its proof.",
               [options, &environment] { return RunChips(*options, environment); });
  command.add_flag("--json", options->json, "Print JSON");
  command.add_flag("--no-measure", options->no_measure, "Do not measure the ceilings");
  command.add_flag("--fresh", options->fresh, "Measure again, also what is remembered");
  command.add_option("--chip-option", options->chip_options,
                     "An option for the chips, such as threads=1; may be repeated");
}

}  // namespace switchyard::cli
