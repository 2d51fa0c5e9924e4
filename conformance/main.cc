// switchyard_conformance: whether a chip plugin keeps the promises of the chip interface, and
// computes what the reference computes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/temporary_folder.h"
#include "conformance/ladder.h"
#include "conformance/report.h"
#include "conformance/soak.h"
#include "conformance/speed.h"
#include "conformance/suite.h"

namespace switchyard::conformance {
namespace {

constexpr std::string_view kUsage =
    "usage: switchyard_conformance CHIP.so [--device N] [--option NAME=VALUE]... [--filter A,B]\n"
    "                              [--seed N] [--reference CHIP.so] [--list] [--verbose]\n"
    "                              [--skip-if-refused] [--speed] [--cache-dir FOLDER]\n"
    "                              [--reach TIER] [--soak SECONDS] [--soak-steps N]\n"
    "--filter runs the cases whose name contains one of its texts. --speed also measures how fast\n"
    "each operation is. --reach fails below a tier of the ladder. --soak runs a small decoder "
    "again\n"
    "and again instead of the suite, on four threads and queues, for so many seconds or, with\n"
    "--soak-steps, until N programs have run: results must have the bits of the first run and "
    "agree\n"
    "with the reference, and memory must not shrink. --cache-dir is where the chip keeps compiled\n"
    "kernels; without it they go when the program ends. The reference plugin is looked for beside\n"
    "CHIP.so unless given. Exit status: 0 passed, 1 failed, 2 could not run, 77 the device "
    "refused\n"
    "its options and --skip-if-refused was given.\n";

constexpr int kSkipped = 77;  // as automake and ctest understand it

struct Arguments {
  std::filesystem::path plugin;
  std::filesystem::path reference;
  Options options;
  std::string filter;
  std::string tier;  // to be reached; empty for none
  std::uint64_t seed = 1;
  std::uint32_t device = 0;
  std::filesystem::path cache_folder;
  SoakOptions soak;
  bool is_list = false;
  bool is_verbose = false;
  bool skips_if_refused = false;
  bool is_speed = false;
};

template <typename Number>
bool Parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

base::Result<Arguments> ParseArguments(const std::vector<std::string_view>& given) {
  using base::ErrorCode;
  using base::Fail;
  Arguments arguments;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string_view name = given[i];
    if (name == "--list") {
      arguments.is_list = true;
      continue;
    }
    if (name == "--skip-if-refused") {
      arguments.skips_if_refused = true;
      continue;
    }
    if (name == "--speed") {
      arguments.is_speed = true;
      continue;
    }
    if (name == "--verbose") {
      arguments.is_verbose = true;
      continue;
    }
    if (!name.starts_with("--")) {
      if (!arguments.plugin.empty()) {
        return Fail(ErrorCode::kInvalidArgument, "two plugins: '{}' and '{}'",
                    arguments.plugin.string(), name);
      }
      arguments.plugin = name;
      continue;
    }
    if (++i == given.size()) return Fail(ErrorCode::kInvalidArgument, "{} wants a value", name);
    const std::string_view value = given[i];
    bool is_good = true;
    if (name == "--device") {
      is_good = Parse(value, arguments.device);
    } else if (name == "--seed") {
      is_good = Parse(value, arguments.seed);
    } else if (name == "--filter") {
      arguments.filter = value;
    } else if (name == "--reach") {
      arguments.tier = value;
      const std::vector<std::string> tiers = TierNames();
      if (std::ranges::find(tiers, value) == tiers.end()) {
        return Fail(ErrorCode::kInvalidArgument, "--reach can't be '{}'; there are: {}", value,
                    fmt::join(tiers, ", "));
      }
    } else if (name == "--reference") {
      arguments.reference = value;
    } else if (name == "--cache-dir") {
      arguments.cache_folder = value;
    } else if (name == "--soak") {
      is_good = Parse(value, arguments.soak.seconds) && arguments.soak.seconds > 0;
    } else if (name == "--soak-steps") {
      is_good = Parse(value, arguments.soak.runs) && arguments.soak.runs > 0;
    } else if (name == "--option") {
      const std::size_t equals = value.find('=');
      is_good = equals != std::string_view::npos;
      if (is_good) {
        arguments.options.emplace_back(value.substr(0, equals), value.substr(equals + 1));
      }
    } else {
      return Fail(ErrorCode::kInvalidArgument, "there is no {}", name);
    }
    if (!is_good) return Fail(ErrorCode::kInvalidArgument, "{} can't be '{}'", name, value);
  }
  if (arguments.plugin.empty() && !arguments.is_list) {
    return Fail(ErrorCode::kInvalidArgument, "no plugin is named");
  }
  if (arguments.reference.empty()) {
    arguments.reference = arguments.plugin.parent_path() / "switchyard_chip_reference.so";
  }
  return arguments;
}

// The exit status.
base::Result<int> RunSoak(Session& tested, Session& truth, SoakOptions options,
                          std::uint64_t seed) {
  options.seed = seed;
  const auto print = [](const SoakCounts& counts) {
    fmt::print(
        "soak: {:.0f} s, {} runs, {} compared with their first bits, {} with the reference\n",
        counts.seconds, counts.runs, counts.compared_with_first, counts.compared_with_truth);
    std::fflush(stdout);
  };
  SWITCHYARD_TRY(const SoakResult result, Soak(tested, truth, options, print));
  print(result.counts);
  fmt::print("{} threads, each with a queue; {}\n", options.threads, result.memory);
  if (result.complaint.empty()) return 0;
  fmt::print("FAIL soak: {}\n", result.complaint);
  return 1;
}

base::Status CheckReached(std::span<const Rung> rungs, std::string_view tier) {
  const auto wanted = std::ranges::find(rungs, tier, &Rung::name);
  const auto below = std::ranges::find(rungs.begin(), wanted + 1, false, &Rung::is_reached);
  if (below == wanted + 1) return {};
  return base::Fail(base::ErrorCode::kFailedPrecondition, "'{}' was not reached, for want of '{}'",
                    tier, below->name);
}

// The exit status.
base::Result<int> RunSuite(const Arguments& arguments) {
  std::vector<Case> cases = AllCases();
  if (arguments.is_list) {
    for (const Case& one : cases) {
      if (Matches(one.name, arguments.filter)) fmt::print("{}\n", one.name);
    }
    return 0;
  }
  const base::TemporaryFolder scratch;
  SWITCHYARD_TRY(
      const sy_chip_api tested_api,
      LoadPlugin(arguments.plugin,
                 arguments.cache_folder.empty() ? scratch.path() : arguments.cache_folder));
  SWITCHYARD_TRY(const sy_chip_api truth_api, LoadPlugin(arguments.reference));
  const auto tested = Session::Open(tested_api, arguments.device, arguments.options);
  if (!tested && arguments.skips_if_refused) {
    fmt::print("skipped: {}\n", tested.error().message);
    return kSkipped;
  }
  if (!tested) return std::unexpected(tested.error());
  SWITCHYARD_TRY(const auto truth, Session::Open(truth_api, 0, {}));
  const sy_device_properties& properties = (*tested)->properties();
  fmt::print("{} device {}: {} ({}), architecture {}; seed {}\n", tested_api.name, arguments.device,
             properties.name, properties.maker, properties.architecture, arguments.seed);
  if (arguments.soak.seconds > 0 || arguments.soak.runs > 0) {
    return RunSoak(**tested, *truth, arguments.soak, arguments.seed);
  }
  if ((*tested)->has(SY_DEVICE_COMPUTES_NOTHING)) {
    fmt::print("the device computes nothing, so only the interface is checked\n");
    std::erase_if(cases, [](const Case& one) { return !one.name.starts_with("interface/"); });
  }
  const std::vector<CaseResult> results =
      RunCases(cases, arguments.filter, **tested, *truth, arguments.seed);
  if (arguments.is_verbose) {
    for (const CaseResult& result : results) {
      fmt::print("{:>6.3f} s  {:>7.2g} {:>7.2g}  {}\n", result.seconds, result.outcome.max_error,
                 result.outcome.nmse, result.which->name);
    }
  }
  fmt::print("{}", Report(results));
  // Rungs say something about the whole suite only.
  const std::vector<Rung> rungs = Climb(results);
  if (arguments.filter.empty()) fmt::print("{}", DescribeLadder(rungs));
  if (results.empty()) {
    return base::Fail(base::ErrorCode::kNotFound, "no case's name contains '{}'", arguments.filter);
  }
  if (arguments.is_speed && !(*tested)->has(SY_DEVICE_COMPUTES_NOTHING)) {
    SWITCHYARD_TRY(const auto speeds, MeasureSpeeds(**tested, arguments.seed));
    fmt::print("{}", DescribeSpeeds(speeds));
  }
  if (Count(results).failed > 0) return 1;
  if (arguments.tier.empty()) return 0;
  const base::Status reached = CheckReached(rungs, arguments.tier);
  if (!reached) fmt::print("{}\n", reached.error().message);
  return reached ? 0 : 1;
}

}  // namespace
}  // namespace switchyard::conformance

int main(int argc, char** argv) {
  using namespace switchyard::conformance;  // this file's own
  const auto arguments = ParseArguments({argv + 1, argv + argc});
  if (!arguments) {
    fmt::print(stderr, "switchyard_conformance: {}\n{}", arguments.error().message, kUsage);
    return 2;
  }
  const auto status = RunSuite(*arguments);
  if (!status) {
    fmt::print(stderr, "switchyard_conformance: {}\n", status.error().message);
    return 2;
  }
  return *status;
}
