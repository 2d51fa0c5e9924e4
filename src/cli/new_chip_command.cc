#include "cli/new_chip_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cli/kit_files.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::Fail;

constexpr std::size_t kLongestName = 32;

struct NewChipOptions {
  std::string name;
  std::string folder;
};

base::Status CheckName(std::string_view name) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_inside = [&](char c) { return is_lower(c) || c == '_' || (c >= '0' && c <= '9'); };
  if (!name.empty() && name.size() <= kLongestName && is_lower(name.front()) &&
      std::ranges::all_of(name, is_inside)) {
    return {};
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      "'{}' cannot be a chip's name: it must be at most {} lower-case letters, digits and _, "
      "a letter first, such as toy_npu",
      name, kLongestName);
}

// The source tree that the current folder lies in; empty if it lies in none.
fs::path FindSourceTree() {
  for (fs::path folder = fs::current_path();; folder = folder.parent_path()) {
    if (fs::exists(folder / "chips" / "CMakeLists.txt") &&
        fs::exists(folder / "include" / "switchyard" / "chip.h")) {
      return folder;
    }
    if (folder == folder.root_path()) return {};
  }
}

base::Status WriteFile(const fs::path& path, std::string_view text,
                       std::ios::openmode mode = std::ios::trunc) {
  std::error_code problem;
  fs::create_directories(path.parent_path(), problem);
  std::ofstream file(path, std::ios::out | mode);
  file << text;
  file.close();
  if (file) return {};
  return Fail(ErrorCode::kPermissionDenied, "cannot write '{}'; give a folder that can be written",
              path.string());
}

std::string_view Template(std::string_view path) {
  const auto found = std::ranges::find(kKitFiles, path, &KitFile::path);
  SWITCHYARD_CHECK(found != kKitFiles.end());
  return found->text;
}

std::string FillIn(std::string_view text, std::string_view name) {
  constexpr std::string_view kPlace = "@NAME@";
  std::string filled(text);
  for (std::size_t at = 0; (at = filled.find(kPlace, at)) != std::string::npos;) {
    filled.replace(at, kPlace.size(), name);
  }
  return filled;
}

base::Status WriteSkeleton(const fs::path& folder, const std::string& name,
                           std::string_view build_template) {
  if (fs::exists(folder)) {
    return Fail(ErrorCode::kAlreadyExists, "'{}' exists already; choose another name or --out",
                folder.string());
  }
  SWITCHYARD_RETURN_IF_ERROR(
      WriteFile(folder / (name + "_chip.cc"), FillIn(Template("skeleton/chip.cc.in"), name)));
  return WriteFile(folder / "CMakeLists.txt", FillIn(Template(build_template), name));
}

// In the source tree the chip is built, and tested, with all others.
base::Status AddToTree(const fs::path& tree, const std::string& name) {
  const fs::path folder = tree / "chips" / name;
  SWITCHYARD_RETURN_IF_ERROR(WriteSkeleton(folder, name, "skeleton/in_tree.cmake.in"));
  SWITCHYARD_RETURN_IF_ERROR(WriteFile(tree / "chips" / "CMakeLists.txt",
                                       fmt::format("add_subdirectory({})\n", name), std::ios::app));
  fmt::print(
      "Wrote {0}/{1}_chip.cc and a line in chips/CMakeLists.txt. Next:\n"
      "  cmake --build build/release --target switchyard_chip_{1}\n"
      "  build/release/bin/switchyard conform {1}\n"
      "docs/bring_up.md leads on from there.\n",
      folder.string(), name);
  return {};
}

// Elsewhere it brings along what it is built from.
base::Status WriteStandAlone(const fs::path& folder, const std::string& name) {
  SWITCHYARD_RETURN_IF_ERROR(WriteSkeleton(folder, name, "skeleton/stand_alone.cmake.in"));
  for (const KitFile& file : kKitFiles) {
    if (file.path.starts_with("skeleton/")) continue;
    SWITCHYARD_RETURN_IF_ERROR(WriteFile(folder / file.path, file.text));
  }
  fmt::print(
      "Wrote {0}: {1}_chip.cc to fill in, and the kit. Next:\n"
      "  cmake -S {0} -B {0}/build -DCMAKE_BUILD_TYPE=Release && cmake --build {0}/build\n"
      "  switchyard conform {0}/build/switchyard_chip_{1}.so\n"
      "With SWITCHYARD_CHIP_PATH={0}/build, 'switchyard run --chip {1}' finds it.\n",
      folder.string(), name);
  return {};
}

base::Status WriteNewChip(const NewChipOptions& options) {
  SWITCHYARD_RETURN_IF_ERROR(CheckName(options.name));
  if (!options.folder.empty()) return WriteStandAlone(options.folder, options.name);
  const fs::path tree = FindSourceTree();
  return tree.empty() ? WriteStandAlone(options.name, options.name) : AddToTree(tree, options.name);
}

}  // namespace

void AddNewChipCommand(CommandLine& line) {
  const auto options = std::make_shared<NewChipOptions>();
  CLI::App& command = line.Add("new-chip", "Writes the beginning of a chip plugin.",
                               [options] { return WriteNewChip(*options); });
  command.add_option("NAME", options->name, "Of the chip, as in --chip: a lower-case word")
      ->required();
  command.add_option("--out", options->folder,
                     "A new folder for a plugin that is built by itself; without it, chips/NAME of "
                     "the source tree around the current folder, or else ./NAME");
}

}  // namespace switchyard::cli
