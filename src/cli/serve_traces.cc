#include "cli/serve_traces.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "net/url.h"

namespace switchyard::cli {
namespace {

// OTEL_EXPORTER_OTLP_HEADERS: "name=value,name=value".
std::vector<std::string> HeaderLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    lines.push_back(fmt::format("{}: {}", one.substr(0, equals), one.substr(equals + 1)));
  }
  return lines;
}

std::string TracesAddress(const ServeOptions& options, const Environment& environment) {
  if (!options.otlp_endpoint.empty()) return server::TracesUrl(options.otlp_endpoint);
  if (const auto url = environment.Get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) return *url;
  if (const auto base = environment.Get("OTEL_EXPORTER_OTLP_ENDPOINT")) {
    return server::TracesUrl(*base);
  }
  return {};
}

}  // namespace

std::unique_ptr<server::TraceExporter> MakeTraceExporter(const ServeOptions& options,
                                                         const Environment& environment,
                                                         const std::string& model,
                                                         const base::LogSink& log) {
  server::TraceExporterOptions exporter;
  exporter.url = TracesAddress(options, environment);
  if (exporter.url.empty()) return nullptr;
  exporter.headers = HeaderLines(environment.GetOr("OTEL_EXPORTER_OTLP_HEADERS", ""));
  exporter.version = SWITCHYARD_VERSION;
  exporter.log = log;
  char host[256] = "";
  (void)::gethostname(host, sizeof host - 1);
  exporter.resource = {{"service.name", environment.GetOr("OTEL_SERVICE_NAME", "switchyard")},
                       {"service.version", std::string(SWITCHYARD_VERSION)},
                       {"host.name", std::string(host)},
                       {"process.pid", std::int64_t{::getpid()}},
                       {"switchyard.model", model}};
  log({base::LogLevel::kInfo, "tracing", {{"collector", net::UrlForDisplay(exporter.url)}}});
  return std::make_unique<server::TraceExporter>(std::move(exporter));
}

}  // namespace switchyard::cli
