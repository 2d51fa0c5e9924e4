// `switchyard chips`: every chip found on this machine, what it can do at best, how far it is
// proven.
#pragma once

#include "cli/command_line.h"
#include "cli/environment.h"

namespace switchyard::cli {

// `environment` must outlive the command line's run.
void AddChipsCommand(CommandLine& line, const Environment& environment);

}  // namespace switchyard::cli
