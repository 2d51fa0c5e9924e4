// Where a server's log goes: standard error or a file, a line each, in the format and from the
// level that were chosen.
#pragma once

#include <cstdio>

#include "base/log.h"
#include "cli/serve_options.h"

namespace switchyard::cli {

base::LogSink MakeServeLog(const ServeOptions& options);

// To `file`, which outlives it.
base::LogSink MakeLog(std::FILE* file, base::LogFormat format, base::LogLevel level);

}  // namespace switchyard::cli
