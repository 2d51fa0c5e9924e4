#include "base/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/json.h"

namespace switchyard::base {
namespace {

constexpr std::array<std::string_view, 4> kLevels = {"error", "warn", "info", "debug"};

std::string TimeText(std::chrono::system_clock::time_point time) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)), ms % 1000);
}

// A value of logfmt: as it is where that is one word, else between quotes.
std::string Quoted(std::string_view text) {
  const bool is_word = !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return c > 0x20 && c != 0x7F && c != '"' && c != '=' && c != '\\';
  });
  if (is_word) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

struct LogfmtValue {
  std::string operator()(const std::string& text) const { return Quoted(text); }
  std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
  std::string operator()(double number) const { return fmt::format("{:.4f}", number); }
  std::string operator()(bool fact) const { return fact ? "1" : "0"; }
};

}  // namespace

std::string_view Name(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

std::optional<LogLevel> LogLevelFromName(std::string_view name) {
  const auto at = std::ranges::find(kLevels, name);
  if (at == kLevels.end()) return std::nullopt;
  return static_cast<LogLevel>(at - kLevels.begin());
}

std::optional<LogFormat> LogFormatFromName(std::string_view name) {
  if (name == "logfmt") return LogFormat::kLogfmt;
  if (name == "json") return LogFormat::kJson;
  return std::nullopt;
}

std::string ToText(const LogRecord& record, LogFormat format,
                   std::chrono::system_clock::time_point time) {
  if (format == LogFormat::kJson) {
    Json json = {{"time", TimeText(time)}, {"level", Name(record.level)}, {"msg", record.message}};
    for (const LogField& field : record.fields) {
      std::visit([&](const auto& value) { json[field.key] = value; }, field.value);
    }
    return WriteJson(json);
  }
  std::string text = fmt::format("time={} level={} msg={}", TimeText(time), Name(record.level),
                                 Quoted(record.message));
  for (const LogField& field : record.fields) {
    text += fmt::format(" {}={}", field.key, std::visit(LogfmtValue(), field.value));
  }
  return text;
}

}  // namespace switchyard::base
