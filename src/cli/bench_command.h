// `switchyard bench`: how fast a model prefills and decodes on a chip, and what share of the chip's
// measured ceiling that is.
#pragma once

#include "cli/command_line.h"
#include "cli/environment.h"

namespace switchyard::cli {

// `environment` must outlive the command line's run.
void AddBenchCommand(CommandLine& line, const Environment& environment);

}  // namespace switchyard::cli
