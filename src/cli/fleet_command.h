// `switchyard fleet`: operates the fleet behind a gateway from a terminal.
#pragma once

#include "cli/command_line.h"
#include "cli/environment.h"

namespace switchyard::cli {

// `environment` must outlive the command line's run.
void AddFleetCommand(CommandLine& line, const Environment& environment);

}  // namespace switchyard::cli
