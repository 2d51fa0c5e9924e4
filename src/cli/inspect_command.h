// `switchyard inspect`: what a model is, what it costs, and which chips of this machine could run it.
#pragma once

#include "cli/command_line.h"
#include "cli/environment.h"

namespace switchyard::cli {

// `environment` must outlive the command line's run.
void AddInspectCommand(CommandLine& line, const Environment& environment);

}  // namespace switchyard::cli
