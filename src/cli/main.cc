// The one program of Switchyard. Each subcommand adds itself; see command_line.h.
#include "cli/bench_command.h"
#include "cli/certify_command.h"
#include "cli/chips_command.h"
#include "cli/command_line.h"
#include "cli/conform_command.h"
#include "cli/environment.h"
#include "cli/fleet_command.h"
#include "cli/gateway_command.h"
#include "cli/inspect_command.h"
#include "cli/new_chip_command.h"
#include "cli/pull_command.h"
#include "cli/run_command.h"
#include "cli/serve_command.h"

int main(int argc, char** argv) {
  using namespace switchyard::cli;
  const auto environment = Environment::OfThisProcess();
  CommandLine line;
  AddRunCommand(line, environment);
  AddServeCommand(line, environment);
  AddGatewayCommand(line, environment);
  AddFleetCommand(line, environment);
  AddPullCommand(line, environment);
  AddChipsCommand(line, environment);
  AddConformCommand(line, environment);
  AddCertifyCommand(line, environment);
  AddNewChipCommand(line);
  AddInspectCommand(line, environment);
  AddBenchCommand(line, environment);
  return line.Run(argc, argv);
}
