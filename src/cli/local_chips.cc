#include "cli/local_chips.h"

#include <algorithm>
#include <future>

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

bool HasFlag(const sy_device_properties& device, sy_device_flags flag) {
  return (device.flags & flag) != 0;
}

// Which chip to take when none is named: one that computes and is not the reference. An accelerator
// with its own memory comes first if it is proven on silicon, after those in the host's memory if
// it was only compiled; one that ran on an emulator alone may be no more than that. Equals are
// taken in the order of their names.
const device::ProbedChip* BestOf(const std::vector<device::ProbedChip>& chips) {
  const auto rank = [](const device::ProbedChip& chip) {
    if (!chip.problem.empty() || chip.devices.empty()) return -1;
    const sy_device_properties& first = chip.devices.front();
    if (HasFlag(first, SY_DEVICE_COMPUTES_NOTHING) || HasFlag(first, SY_DEVICE_REFERENCE))
      return -1;
    if (HasFlag(first, SY_DEVICE_HOST_MEMORY)) return 1;
    if (first.proof == SY_PROOF_RUN_ON_EMULATOR) return -1;
    return first.proof == SY_PROOF_RUN_ON_SILICON ? 2 : 0;
  };
  const auto best = std::ranges::max_element(chips, {}, rank);
  return best == chips.end() || rank(*best) < 0 ? nullptr : &*best;
}

const device::ProbedChip* ReferenceOf(const std::vector<device::ProbedChip>& chips) {
  const auto found = std::ranges::find_if(chips, [](const device::ProbedChip& chip) {
    return !chip.devices.empty() && HasFlag(chip.devices.front(), SY_DEVICE_REFERENCE);
  });
  return found == chips.end() ? nullptr : &*found;
}

std::string Names(const std::vector<device::ProbedChip>& chips) {
  std::string names;
  for (const auto& chip : chips) names += (names.empty() ? "" : ", ") + chip.name;
  return names.empty() ? "none" : names;
}

base::Result<const device::ProbedChip*> Choose(const std::vector<device::ProbedChip>& chips,
                                               const ChipChoice& choice) {
  if (choice.name.empty()) {
    if (const auto* best = BestOf(chips)) return best;
    return Fail(ErrorCode::kNotFound,
                "no chip that computes was found (plugins: {}); 'switchyard chips' tells why",
                Names(chips));
  }
  const auto found = std::ranges::find(chips, choice.name, &device::ProbedChip::name);
  if (found == chips.end()) {
    return Fail(ErrorCode::kNotFound,
                "there is no chip '{}' (plugins: {}); put its plugin switchyard_chip_{}.so into a "
                "folder of $SWITCHYARD_CHIP_PATH",
                choice.name, Names(chips), choice.name);
  }
  if (!found->problem.empty()) {
    return Fail(ErrorCode::kUnavailable, "chip '{}' cannot be used: {}", choice.name,
                found->problem);
  }
  if (choice.index >= found->devices.size()) {
    return Fail(ErrorCode::kOutOfRange, "chip '{}' has {} devices; there is no device {}",
                choice.name, found->devices.size(), choice.index);
  }
  return &*found;
}

}  // namespace

std::filesystem::path ProgramFolder() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
}

std::vector<std::filesystem::path> PluginFolders(const Environment& environment) {
  std::vector<std::filesystem::path> folders;
  const std::string path = environment.GetOr("SWITCHYARD_CHIP_PATH", "");
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    if (end > at) folders.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  const std::filesystem::path program = ProgramFolder();
  folders.push_back(program.parent_path() / "chips");                         // in a build
  folders.push_back(program.parent_path() / "lib" / "switchyard" / "chips");  // installed
  return folders;
}

std::filesystem::path KernelCacheFolder(const Environment& environment, std::string_view chip) {
  return environment.CacheFolder() / "switchyard" / "kernels" / chip;
}

std::vector<device::ProbedChip> ProbeAll(const Environment& environment) {
  const device::ProbeOptions options{.prober = ProgramFolder() / "switchyard_probe"};
  std::vector<std::future<device::ProbedChip>> probes;
  for (const auto& plugin : device::FindPlugins(PluginFolders(environment))) {
    probes.push_back(
        std::async(std::launch::async, [plugin, &options] { return Probe(plugin, options); }));
  }
  std::vector<device::ProbedChip> chips;
  for (auto& probe : probes) chips.push_back(probe.get());
  return chips;
}

base::Result<std::vector<device::DeviceOption>> ParseDeviceOptions(
    const std::vector<std::string>& texts) {
  std::vector<device::DeviceOption> options;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument,
                  "chip option '{}' is not of the form name=value, such as threads=2", text);
    }
    options.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return options;
}

base::Result<std::unique_ptr<OpenedChip>> OpenedChip::Open(const ChipChoice& choice,
                                                           const Environment& environment) {
  const std::vector<device::ProbedChip> chips = ProbeAll(environment);
  SWITCHYARD_TRY(const device::ProbedChip* const chosen, Choose(chips, choice));
  auto opened = std::make_unique<OpenedChip>();
  opened->plugin_ = chosen->plugin;
  SWITCHYARD_TRY(const device::Chip chip,
                 device::Chip::Load(chosen->plugin, KernelCacheFolder(environment, chosen->name)));
  SWITCHYARD_TRY(opened->device_, device::Device::Open(chip, choice.index, choice.options));
  SWITCHYARD_TRY(opened->queue_, device::Queue::Create(*opened->device_));
  const device::ProbedChip* reference = ReferenceOf(chips);
  if (choice.allow_fallback && reference != nullptr && reference != chosen) {
    SWITCHYARD_TRY(const device::Chip truth, device::Chip::Load(reference->plugin));
    SWITCHYARD_TRY(opened->fallback_, device::Device::Open(truth, 0, {}));
    SWITCHYARD_TRY(opened->fallback_queue_, device::Queue::Create(*opened->fallback_));
  }
  return opened;
}

device::Target OpenedChip::target() {
  return {device_.get(), &queue_, fallback_.get(),
          fallback_ == nullptr ? nullptr : &fallback_queue_};
}

std::string_view OpenedChip::fallback_name() const {
  return fallback_ == nullptr ? "none" : fallback_->chip().name();
}

std::string_view ProofName(sy_proof proof) {
  switch (proof) {
    case SY_PROOF_RUN_ON_SILICON:
      return "run on silicon";
    case SY_PROOF_RUN_ON_EMULATOR:
      return "run on emulator";
    default:
      return "compiled";
  }
}

}  // namespace switchyard::cli
