// `switchyard run`: one answer, or a chat in the terminal, from a model on a chip of this machine.
#pragma once

#include "cli/command_line.h"
#include "cli/environment.h"

namespace switchyard::cli {

// `environment` must outlive the command line's run.
void AddRunCommand(CommandLine& line, const Environment& environment);

}  // namespace switchyard::cli
