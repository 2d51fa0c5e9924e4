#include "cli/conform_command.h"

#include <spawn.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>

#include "cli/local_chips.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

struct ConformOptions {
  std::string chip;
  std::uint32_t device = 0;
  std::uint64_t seed = 1;
  std::string filter;
  std::string tier;
  std::vector<std::string> chip_options;
  bool no_speed = false;
  bool verbose = false;
  double soak_seconds = 0;
  std::uint64_t soak_steps = 0;
};

// "opencl" of ".../switchyard_chip_opencl.so".
std::string ChipOf(const std::filesystem::path& plugin) {
  const std::string stem = plugin.stem().string();
  constexpr std::string_view kPrefix = "switchyard_chip_";
  return stem.starts_with(kPrefix) ? stem.substr(kPrefix.size()) : stem;
}

// A path to a plugin, or the name of a chip whose plugin lies where chips are looked for.
base::Result<std::filesystem::path> FindPlugin(const std::string& chip,
                                               const Environment& environment) {
  if (chip.find('/') != std::string::npos || chip.ends_with(".so")) {
    if (std::filesystem::exists(chip)) return std::filesystem::path(chip);
    return Fail(ErrorCode::kNotFound, "there is no plugin '{}'", chip);
  }
  const std::string file = "switchyard_chip_" + chip + ".so";
  std::string searched;
  for (const auto& folder : PluginFolders(environment)) {
    if (std::filesystem::exists(folder / file)) return folder / file;
    searched += (searched.empty() ? "" : ", ") + folder.string();
  }
  return Fail(ErrorCode::kNotFound,
              "no {} in {}; name a chip that 'switchyard chips' lists, or a path", file, searched);
}

// The suite is a program of its own, since a plugin under test may crash or hang with its driver.
base::Status RunSuite(const std::filesystem::path& suite, std::vector<std::string> arguments) {
  std::string program = suite.string();
  std::vector<char*> argv = {program.data()};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::fflush(stdout);
  pid_t child = 0;
  if (const int problem =
          ::posix_spawn(&child, program.c_str(), nullptr, nullptr, argv.data(), environ);
      problem != 0) {
    return Fail(ErrorCode::kInternal, "cannot start '{}': {}", program, std::strerror(problem));
  }
  int state = 0;
  while (::waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(state)) {
    return Fail(ErrorCode::kInternal,
                "the suite died of signal {} ({}) in the plugin; run '{}' under a debugger",
                WTERMSIG(state), ::strsignal(WTERMSIG(state)), program);
  }
  switch (WEXITSTATUS(state)) {
    case 0:
      return {};
    case 1:
      return Fail(ErrorCode::kFailedPrecondition,
                  "the chip does not conform; see the failures above");
    default:
      return Fail(ErrorCode::kFailedPrecondition, "the suite could not run; see above");
  }
}

base::Status RunConform(const ConformOptions& options, const Environment& environment) {
  SWITCHYARD_TRY(const std::filesystem::path plugin, FindPlugin(options.chip, environment));
  std::vector<std::string> arguments = {plugin.string(), "--device", std::to_string(options.device),
                                        "--seed", std::to_string(options.seed)};
  const auto add = [&](const char* name, const std::string& value) {
    arguments.emplace_back(name);
    arguments.push_back(value);
  };
  // The truth that every chip is compared with.
  SWITCHYARD_TRY(const std::filesystem::path reference, FindPlugin("reference", environment));
  add("--reference", reference.string());
  add("--cache-dir", KernelCacheFolder(environment, ChipOf(plugin)).string());
  if (options.soak_seconds > 0) add("--soak", std::to_string(options.soak_seconds));
  if (options.soak_steps > 0) add("--soak-steps", std::to_string(options.soak_steps));
  if (!options.filter.empty()) add("--filter", options.filter);
  if (!options.tier.empty()) add("--reach", options.tier);
  for (const std::string& option : options.chip_options) add("--option", option);
  if (!options.no_speed && options.filter.empty()) arguments.emplace_back("--speed");
  if (options.verbose) arguments.emplace_back("--verbose");
  return RunSuite(ProgramFolder() / "switchyard_conformance", std::move(arguments));
}

}  // namespace

void AddConformCommand(CommandLine& line, const Environment& environment) {
  const auto options = std::make_shared<ConformOptions>();
  CLI::App& command = line.Add(
      "conform", "Tells whether a chip keeps the interface's promises, and how far it has come.",
      [options, &environment] { return RunConform(*options, environment); });
  command.add_option("CHIP", options->chip, "A chip's name, or the path of a plugin")->required();
  command.add_option("--device", options->device, "Which of the chip's devices");
  command.add_option("--chip-option", options->chip_options,
                     "An option for the chip, NAME=VALUE; may be repeated");
  command.add_option("--filter", options->filter,
                     "Only cases whose name contains this, or one of several, separated by commas");
  command.add_option("--reach", options->tier,
                     "Fail below this tier of the ladder: runtime, linear only, dense models, "
                     "quantised, experts, MLA or capture");
  command.add_option("--seed", options->seed, "Of the random numbers");
  command.add_flag("--no-speed", options->no_speed, "Do not measure how fast the operations are");
  command
      .add_option("--soak", options->soak_seconds,
                  "Instead of the suite, run a small decoder again and again for so many seconds")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--soak-steps", options->soak_steps, "The same, until so many programs have run")
      ->check(CLI::PositiveNumber);
  command.add_flag("--verbose", options->verbose, "A line for each case");
}

}  // namespace switchyard::cli
