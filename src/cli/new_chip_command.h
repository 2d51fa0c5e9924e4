// `switchyard new-chip NAME`: writes a chip plugin that builds, loads and passes the runtime tier,
// for someone with a vendor's library to fill in. docs/bring_up.md goes on from there.
#pragma once

#include "cli/command_line.h"

namespace switchyard::cli {

void AddNewChipCommand(CommandLine& line);

}  // namespace switchyard::cli
