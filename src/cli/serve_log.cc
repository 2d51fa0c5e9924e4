#include "cli/serve_log.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

namespace switchyard::cli {

base::LogSink MakeServeLog(const ServeOptions& options) {
  const auto format =
      base::LogFormatFromName(options.log_format).value_or(base::LogFormat::kLogfmt);
  const auto level = base::LogLevelFromName(options.log_level).value_or(base::LogLevel::kInfo);
  return [format, level](const base::LogRecord& record) {
    if (record.level > level) return;
    // One call, one line: the stream's lock keeps lines whole.
    fmt::print(stderr, "{}\n", base::ToText(record, format, std::chrono::system_clock::now()));
  };
}

}  // namespace switchyard::cli
