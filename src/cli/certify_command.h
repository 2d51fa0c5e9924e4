// switchyard certify: are a model's answers on one chip as good as on another, and how fast is it
// against the chip's own limit? Writes a signed certificate and a page; verifies certificates.
#pragma once

#include "cli/command_line.h"
#include "cli/environment.h"

namespace switchyard::cli {

void AddCertifyCommand(CommandLine& line, const Environment& environment);

}  // namespace switchyard::cli
