#include "cli/fingerprints.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/sha256.h"
#include "base/text_file.h"
#include "certify/plain_text.h"
#include "cli/local_chips.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

using base::ErrorCode;
using base::Fail;
using base::Result;

constexpr std::size_t kMaxModelFiles = 10'000;

// Of any file of the system that is read here.
constexpr std::size_t kMaxSystemFileBytes = 1 << 20;

// "" if it cannot be read; without white space at its end.
std::string ReadSystemFile(const fs::path& path) {
  std::string text = base::ReadTextFile(path, kMaxSystemFileBytes).value_or("");
  // Device trees end their texts with a zero.
  text.erase(text.find_last_not_of(std::string_view(" \t\r\n\0", 5)) + 1);
  return text;
}

// The value of the first line "NAME<separator>value"; "" if there is none.
std::string ValueOf(std::string_view text, std::string_view name, char separator) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(name)) continue;
    std::string_view rest = line.substr(name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!rest.starts_with(separator)) continue;
    rest.remove_prefix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\""), rest.size()));
    return std::string(rest.substr(0, rest.find_last_not_of(" \t\r\"") + 1));
  }
  return "";
}

// "x-00001-of-00003.gguf", the first of a model in parts: how many there are.
std::optional<int> PartsOf(const std::string& name) {
  constexpr std::string_view kForm = "-00001-of-ddddd.gguf";
  if (name.size() < kForm.size()) return std::nullopt;
  const std::string_view end = std::string_view(name).substr(name.size() - kForm.size());
  int parts = 0;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] != 'd') {
      // "-of-" holds no d, and ".gguf" neither.
      if (end[i] != kForm[i]) return std::nullopt;
    } else if (end[i] >= '0' && end[i] <= '9') {
      parts = parts * 10 + (end[i] - '0');
    } else {
      return std::nullopt;
    }
  }
  return parts;
}

bool Counts(const fs::path& file) {
  const std::string name = file.filename().string();
  return !name.starts_with('.') && !name.ends_with(".lock") && !name.ends_with(".partial");
}

// Names relative to `folder`, sorted.
Result<std::vector<std::string>> FilesOf(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (!Counts(entry->path())) {
      if (entry->is_directory(ignored)) entry.disable_recursion_pending();
      continue;
    }
    if (!entry->is_regular_file(ignored)) continue;
    names.push_back(entry->path().lexically_relative(folder).generic_string());
    if (names.size() > kMaxModelFiles) {
      return Fail(ErrorCode::kResourceExhausted,
                  "'{}' holds more than {} files; name the model's own folder", folder.string(),
                  kMaxModelFiles);
    }
  }
  if (error) {
    return Fail(ErrorCode::kUnavailable, "cannot list '{}': {}", folder.string(), error.message());
  }
  if (names.empty()) return Fail(ErrorCode::kNotFound, "'{}' holds no files", folder.string());
  std::ranges::sort(names);
  return names;
}

}  // namespace

Result<std::string> Sha256OfModel(const fs::path& path) {
  std::error_code ignored;
  std::vector<std::string> names;
  fs::path folder = path;
  if (fs::is_directory(path, ignored)) {
    SWITCHYARD_TRY(names, FilesOf(path));
  } else if (!fs::is_regular_file(path, ignored)) {
    return Fail(ErrorCode::kNotFound, "the model '{}' is neither a file nor a folder",
                path.string());
  } else if (const auto parts = PartsOf(path.filename().string())) {
    folder = path.parent_path();
    std::string name = path.filename().string();
    const std::size_t number = name.size() - std::string_view("00001-of-00003.gguf").size();
    for (int part = 1; part <= std::min(*parts, static_cast<int>(kMaxModelFiles)); ++part) {
      names.push_back(name.replace(number, 5, fmt::format("{:05}", part)));
    }
  } else {
    return base::Sha256OfFile(path);
  }
  std::string lines;
  for (const std::string& name : names) {
    SWITCHYARD_TRY(const std::string digest, base::Sha256OfFile(folder / name));
    lines += fmt::format("{}  {}\n", digest, name);
  }
  return base::Sha256Of(lines);
}

Result<certify::SideFingerprint> FingerprintSide(const device::Device& device,
                                                 const fs::path& plugin, std::uint32_t index,
                                                 const std::vector<device::DeviceOption>& options) {
  const sy_device_properties& properties = device.properties();
  const auto text = [](std::string_view from) { return certify::PlainText(from); };
  certify::SideFingerprint side;
  side.chip = text(device.chip().name());
  side.index = index;
  SWITCHYARD_TRY(side.plugin_sha256, base::Sha256OfFile(plugin));
  side.device = text(properties.name);
  side.maker = text(properties.maker);
  side.architecture = text(properties.architecture);
  side.proof = ProofName(properties.proof);
  side.units = properties.unit_count;
  for (const device::DeviceOption& option : options) {
    side.options.push_back(text(option.name + "=" + option.value));
  }
  return side;
}

certify::MachineFingerprint FingerprintMachine(const fs::path& root) {
  certify::MachineFingerprint machine;
  ::utsname kernel{};
  ::uname(&kernel);

  machine.processor = ValueOf(ReadSystemFile(root / "proc/cpuinfo"), "model name", ':');
  if (machine.processor.empty()) {
    machine.processor = ReadSystemFile(root / "proc/device-tree/model");
  }
  if (machine.processor.empty()) machine.processor = kernel.machine;
  machine.processor = certify::PlainText(machine.processor);

  machine.cores = static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  // What the kernel leaves differs by some pages from start to start.
  constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30;
  const auto bytes = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES))) *
                     static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
  machine.memory_bytes = (bytes + kGibibyte / 2) / kGibibyte * kGibibyte;

  const std::string release = ReadSystemFile(root / "etc/os-release");
  const std::string system = ValueOf(release, "PRETTY_NAME", '=');
  machine.system = certify::PlainText(fmt::format(
      "{}, {} {}", system.empty() ? "unknown system" : system, kernel.sysname, kernel.release));

  // machine-id is not to be shown to others (machine-id(5)): only a digest of ours leaves.
  std::string id = "switchyard certificate\n";
  id += ReadSystemFile(root / "etc/machine-id") + "\n";
  for (const char* name : {"sys_vendor", "product_name", "product_version", "board_vendor",
                           "board_name", "board_version"}) {
    id += ReadSystemFile(root / "sys/class/dmi/id" / name) + "\n";
  }
  machine.id = base::Sha256Of(id);
  return machine;
}

std::string_view ProgramVersion() { return SWITCHYARD_VERSION; }

}  // namespace switchyard::cli
