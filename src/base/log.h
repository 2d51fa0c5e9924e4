// A line of log as data: a message and named values, written as logfmt or as JSON, one line each
// whatever the values hold. Values; who writes them where is the program's to say.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace switchyard::base {

enum class LogLevel : std::uint8_t { kError, kWarn, kInfo, kDebug };
enum class LogFormat : std::uint8_t { kLogfmt, kJson };

// "error", "warn", "info", "debug"; "logfmt", "json".
std::string_view Name(LogLevel level);
std::optional<LogLevel> LogLevelFromName(std::string_view name);
std::optional<LogFormat> LogFormatFromName(std::string_view name);

struct LogField {
  std::string key;
  std::variant<std::string, std::int64_t, double, bool> value;
};

struct LogRecord {
  LogLevel level = LogLevel::kInfo;
  std::string message;  // a few fixed words: what varies is a field
  std::vector<LogField> fields;
};

// Called from several threads, one record a call.
using LogSink = std::function<void(const LogRecord&)>;

// Without the line's end.
std::string ToText(const LogRecord& record, LogFormat format,
                   std::chrono::system_clock::time_point time);

}  // namespace switchyard::base
