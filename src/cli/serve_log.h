// Where a server's log goes: standard error, a line each, in the format and from the level that
// were chosen.
#pragma once

#include "base/log.h"
#include "cli/serve_options.h"

namespace switchyard::cli {

base::LogSink MakeServeLog(const ServeOptions& options);

}  // namespace switchyard::cli
