// A chip plugin, loaded. Plugins are found by file name in the folders that the program's entry
// gives; each is first probed in a child process with a time limit, since vendors' libraries abort,
// hang and clash, and only loaded here once it has answered there.
//
// A loaded plugin stays loaded for the life of the process (vendors' libraries do not survive
// dlclose), so Chip is a small value. Any thread may use one.
#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "switchyard/chip.h"

namespace switchyard::device {

class Chip {
 public:
  // Loads the plugin into this process without asking it for devices. It keeps the kernels that it
  // compiles in `cache_folder`, which is made if need be; without one it keeps none.
  static base::Result<Chip> Load(const std::filesystem::path& plugin,
                                 const std::filesystem::path& cache_folder = {});

  const sy_chip_api& api() const { return api_; }
  std::string_view name() const { return api_.name; }

  // kOk becomes success; anything else an Error with the chip's own sentence behind `doing`.
  base::Status Check(sy_status status, std::string_view doing) const;

 private:
  explicit Chip(const sy_chip_api& api) : api_(api) {}
  sy_chip_api api_;  // of full size, with null for the slots that the plugin is too old to have
};

// What a child process learned of one plugin. Probing compiles no kernels, so it has no cache
// folder.
struct ProbedChip {
  std::filesystem::path plugin;
  std::string name;     // from the file's name, "switchyard_chip_NAME.so"
  std::string problem;  // why it can't be used; empty if it can
  std::vector<sy_device_properties> devices;
};

struct ProbeOptions {
  std::filesystem::path prober;  // the program switchyard_probe
  std::chrono::milliseconds time_limit{5000};
};

// Every plugin in `folders`, by name, in the order found; the first of a name wins.
std::vector<std::filesystem::path> FindPlugins(std::span<const std::filesystem::path> folders);

// Never fails: a plugin that crashes, hangs or lies has a problem.
ProbedChip Probe(const std::filesystem::path& plugin, const ProbeOptions& options);

}  // namespace switchyard::device
