// Where a server's traces go: as --otlp-endpoint says, else as OpenTelemetry's own variables say.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "cli/environment.h"
#include "cli/serve_options.h"
#include "server/trace_exporter.h"

namespace switchyard::cli {

// Null: nothing is traced. `model` is its name to clients.
std::unique_ptr<server::TraceExporter> MakeTraceExporter(const ServeOptions& options,
                                                         const Environment& environment,
                                                         const std::string& model,
                                                         const base::LogSink& log);

}  // namespace switchyard::cli
