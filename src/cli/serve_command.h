// `switchyard serve`: one model on this machine's chips as an OpenAI server.
#pragma once

#include "cli/command_line.h"
#include "cli/environment.h"

namespace switchyard::cli {

void AddServeCommand(CommandLine& line, const Environment& environment);

}  // namespace switchyard::cli
