// The chips of this machine, as the commands see them: where plugins lie, what probing said, and
// opening one with its fallback. Used from the main thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/environment.h"
#include "device/chip.h"
#include "device/device.h"
#include "device/program.h"

namespace switchyard::cli {

// Where this program and those that belong to it lie.
std::filesystem::path ProgramFolder();

// Folders of $SWITCHYARD_CHIP_PATH (colon-separated), then those beside the program.
std::vector<std::filesystem::path> PluginFolders(const Environment& environment);

// Where the chip of a name keeps the kernels that it compiles.
std::filesystem::path KernelCacheFolder(const Environment& environment, std::string_view chip);

// Probes every plugin, at the same time.
std::vector<device::ProbedChip> ProbeAll(const Environment& environment);

struct ChipChoice {
  std::string name;         // "" takes the best that computes and is no reference
  std::uint32_t index = 0;  // which of its devices
  std::vector<device::DeviceOption> options;
  bool allow_fallback = true;
};

// Each "name=value", such as "threads=2", to an option.
base::Result<std::vector<device::DeviceOption>> ParseDeviceOptions(
    const std::vector<std::string>& texts);

// An opened chip, its queue, and the reference to fall back on.
class OpenedChip {
 public:
  static base::Result<std::unique_ptr<OpenedChip>> Open(const ChipChoice& choice,
                                                        const Environment& environment);
  device::Target target();
  const device::Device& device() const { return *device_; }
  const std::filesystem::path& plugin() const { return plugin_; }
  std::string_view fallback_name() const;

 private:
  std::filesystem::path plugin_;
  std::unique_ptr<device::Device> device_;
  device::Queue queue_;
  std::unique_ptr<device::Device> fallback_;  // null if not allowed or the same chip
  device::Queue fallback_queue_;
};

// "compiled", "run on emulator", "run on silicon".
std::string_view ProofName(sy_proof proof);

}  // namespace switchyard::cli
