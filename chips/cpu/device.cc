#include "device.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <string_view>
#include <utility>

#include "variants.h"

namespace switchyard::cpu {
namespace {

constexpr int kMaxThreads = 1024;

std::string FieldOfCpuinfo(std::string_view field) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with(field)) continue;
    const auto colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) continue;
    return line.substr(colon + 2);
  }
  return {};
}

int ReadNumber(const std::string& path, int otherwise) {
  std::ifstream file(path);
  int number = otherwise;
  if (!(file >> number)) return otherwise;
  return number;
}

// Two threads of one core share its multipliers and its path to memory, so we count cores.
int CountUsableCores() {
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    std::set<std::pair<int, int>> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(static_cast<unsigned>(cpu), &allowed)) continue;
      const std::string topology =
          "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
      cores.emplace(ReadNumber(topology + "physical_package_id", 0),
                    ReadNumber(topology + "core_id", cpu));
    }
    if (!cores.empty()) return static_cast<int>(cores.size());
  }
#endif
  return std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
}

Machine LookAtMachine() {
  Machine machine;
  machine.name = FieldOfCpuinfo("model name");
  if (machine.name.empty()) machine.name = "processor without a name";
  const std::string vendor = FieldOfCpuinfo("vendor_id");
  if (vendor == "AuthenticAMD") {
    machine.maker = "AMD";
  } else if (vendor == "GenuineIntel") {
    machine.maker = "Intel";
  } else if (vendor == "HygonGenuine") {
    machine.maker = "Hygon";
  } else if (vendor == "CentaurHauls" || vendor == "  Shanghai  ") {
    machine.maker = "Zhaoxin";
  } else {
    machine.maker = vendor.empty() ? "unknown" : vendor;
  }
  machine.usable_cores = std::min(CountUsableCores(), kMaxThreads);
  return machine;
}

}  // namespace

const Machine& ThisMachine() {
  static const Machine machine = LookAtMachine();
  return machine;
}

Result<std::unique_ptr<sy_device>> OpenDevice(std::span<const sy_option> options) {
  const Variant* variant = &BestVariant();
  int threads = ThisMachine().usable_cores;
  for (const sy_option& option : options) {
    if (option.name == nullptr || option.value == nullptr) {
      return Fail(SY_INVALID_ARGUMENT, "an option of the cpu chip has no name or no value");
    }
    const std::string_view name = option.name;
    const std::string_view value = option.value;
    if (name == "threads") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), threads);
      if (error != std::errc() || end != value.data() + value.size() || threads < 1 ||
          threads > kMaxThreads) {
        return Fail(SY_INVALID_ARGUMENT, "option 'threads' is '%s'; give a number from 1 to %d",
                    option.value, kMaxThreads);
      }
    } else if (name == "isa") {
      variant = FindVariant(value);
      if (variant == nullptr) {
        std::string known;
        for (const Variant& each : Variants()) {
          if (each.is_supported()) known += std::string(known.empty() ? "" : ", ") + each.name;
        }
        return Fail(SY_INVALID_ARGUMENT, "option 'isa' is '%s'; this machine has %s", option.value,
                    known.c_str());
      }
    } else {
      return Fail(SY_INVALID_ARGUMENT,
                  "the cpu chip has no option '%s'; it has 'threads' and 'isa'", option.name);
    }
  }
  auto device = std::make_unique<sy_device>();
  device->variant = variant;
  device->kernels = variant->kernels();
  device->team = std::make_unique<Team>(threads);
  SWITCHYARD_CPU_RETURN_IF_ERROR(device->team->Start());
  return device;
}

}  // namespace switchyard::cpu
