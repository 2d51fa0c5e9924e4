// The program's command line: subcommands, each with its options and the body that it runs. A
// subcommand lives in a file of its own, NAME_command.cc, and adds itself by one call from main.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"

namespace CLI {
class App;
}  // namespace CLI

namespace switchyard::cli {

class CommandLine {
 public:
  CommandLine();
  ~CommandLine();

  // `body` runs once the whole line is parsed. Add options to what this returns; what they are read
  // into must live as long as the body, which therefore owns it.
  CLI::App& Add(const std::string& name, const std::string& description,
                std::function<base::Status()> body);

  // Returns the exit code: 0, 1 when the body fails (its message goes to standard error), 2 when
  // the line is wrong.
  int Run(int argc, const char* const* argv);

 private:
  std::unique_ptr<CLI::App> app_;
  std::function<base::Status()> chosen_;
};

}  // namespace switchyard::cli
