// Options of a command under one heading of its help.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace switchyard::cli {

// Values that it is given must live as long as `command`.
struct OptionGroup {
  CLI::App& command;
  const char* name;

  template <typename T>
  CLI::Option* Add(const char* option, T& value, const char* meaning) const {
    return command.add_option(option, value, meaning)->group(name);
  }
  void AddFlag(const char* option, bool& value, const char* meaning) const {
    command.add_flag(option, value, meaning)->group(name);
  }
};

template <typename T>
CLI::Range Between(T low, T high) {
  return CLI::Range(low, high, fmt::format("{}..{}", low, high));
}

}  // namespace switchyard::cli
