#include "cli/serve_log.h"

#include <fmt/format.h>

#include <chrono>

namespace switchyard::cli {

base::LogSink MakeLog(std::FILE* file, base::LogFormat format, base::LogLevel level) {
  return [file, format, level](const base::LogRecord& record) {
    if (record.level > level) return;
    // One call, one line: the stream's lock keeps lines whole.
    fmt::print(file, "{}\n", base::ToText(record, format, std::chrono::system_clock::now()));
  };
}

base::LogSink MakeServeLog(const ServeOptions& options) {
  return MakeLog(stderr,
                 base::LogFormatFromName(options.log_format).value_or(base::LogFormat::kLogfmt),
                 base::LogLevelFromName(options.log_level).value_or(base::LogLevel::kInfo));
}

}  // namespace switchyard::cli
