// The configuration file of `switchyard serve`: TOML whose keys are the command line's options,
// read off the list that the command line is parsed with, so that neither can drift. What the
// command line says wins.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/command_line.h"

namespace CLI {
class App;
}  // namespace CLI

namespace switchyard::cli {

// Options that make no sense in a file are named so; they are no keys.
inline constexpr std::string_view kConfigOption = "config";
inline constexpr std::string_view kPrintConfigOption = "print-config";

// Sets what the command line has not set. An unknown key, a wrong type and a bad value are refused
// with "FILE:LINE:" and what to do.
base::Status ApplyConfig(std::string_view text, const std::string& file, CLI::App& command);
base::Status ApplyConfigFile(const std::string& path, CLI::App& command);

// A file that says every option, its meaning and its default, each behind a '#'.
std::string ExampleConfig(const CLI::App& command);

}  // namespace switchyard::cli
