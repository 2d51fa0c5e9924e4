#include "certify/utc_time.h"

#include <optional>

namespace switchyard::certify {
namespace {

using base::ErrorCode;
using base::Fail;

std::optional<int> Digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

base::Result<std::chrono::sys_seconds> ParseUtcTime(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
  bool has_form = text.size() == kForm.size();
  for (std::size_t i = 0; has_form && i < kForm.size(); ++i) {
    has_form = kForm[i] == 'd' || kForm[i] == text[i];
  }
  if (has_form) {
    const auto year = Digits(text.substr(0, 4));
    const auto month = Digits(text.substr(5, 2));
    const auto day = Digits(text.substr(8, 2));
    const auto hour = Digits(text.substr(11, 2));
    const auto minute = Digits(text.substr(14, 2));
    const auto second = Digits(text.substr(17, 2));
    if (year && month && day && hour && minute && second && *year >= 1970 && *hour < 24 &&
        *minute < 60 && *second < 60) {
      const std::chrono::year_month_day date(std::chrono::year(*year),
                                             std::chrono::month(static_cast<unsigned>(*month)),
                                             std::chrono::day(static_cast<unsigned>(*day)));
      if (date.ok()) {
        return std::chrono::sys_days(date) + std::chrono::hours(*hour) +
               std::chrono::minutes(*minute) + std::chrono::seconds(*second);
      }
    }
  }
  return Fail(ErrorCode::kInvalidArgument,
              "'{}' is not a time of the form 2026-11-22T09:30:00Z (UTC, years 1970 to 9999)",
              text.substr(0, 40));
}

std::string FormatUtcTime(std::chrono::sys_seconds time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace switchyard::certify
