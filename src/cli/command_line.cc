#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

}  // namespace

CommandLine::CommandLine()
    : app_(std::make_unique<CLI::App>("Makes AI chips interchangeable: runs, serves and certifies "
                                      "a model on any chip with a plugin.",
                                      "switchyard")) {
  app_->option_defaults()->always_capture_default();
  app_->require_subcommand(1);
  app_->set_version_flag("--version", "switchyard " SWITCHYARD_VERSION);
}

CommandLine::~CommandLine() = default;

CLI::App& CommandLine::Add(const std::string& name, const std::string& description,
                           std::function<base::Status()> body) {
  CLI::App& command = *app_->add_subcommand(name, description);
  command.final_callback([this, body = std::move(body)] { chosen_ = body; });
  return command;
}

int CommandLine::Run(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app_->exit(error);  // --help and --version
    if (argc < 2) {
      fmt::print(stderr, "switchyard: error: which command?\n\n{}", app_->help());
      return kWrongUsage;
    }
    const CLI::App* command = app_.get();
    for (const CLI::App* chosen : app_->get_subcommands()) command = chosen;
    // Of a misspelt command CLI11 says only that one is missing.
    const std::vector<std::string> unknown = app_->remaining(true);
    const bool is_misspelt = dynamic_cast<const CLI::RequiredError*>(&error) && !unknown.empty();
    fmt::print(stderr, "switchyard: error: {}{}\n",
               is_misspelt ? fmt::format("'{}' is not known here. ", unknown.front()) : "",
               error.what());
    fmt::print(stderr, "See 'switchyard{} --help'.\n",
               command == app_.get() ? std::string() : " " + command->get_name());
    return kWrongUsage;
  }
  const base::Status status = chosen_();
  std::cout.flush();
  std::fflush(stdout);
  if (status) return 0;
  fmt::print(stderr, "switchyard: error: {}\n", status.error().message);
  return kFailed;
}

}  // namespace switchyard::cli
