// `switchyard gateway`: one address in front of many members.
#pragma once

#include "cli/command_line.h"
#include "cli/environment.h"

namespace switchyard::cli {

void AddGatewayCommand(CommandLine& line, const Environment& environment);

}  // namespace switchyard::cli
