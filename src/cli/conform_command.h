// `switchyard conform CHIP`: whether a chip keeps what the interface promises.
#pragma once

#include "cli/command_line.h"
#include "cli/environment.h"

namespace switchyard::cli {

void AddConformCommand(CommandLine& line, const Environment& environment);

}  // namespace switchyard::cli
