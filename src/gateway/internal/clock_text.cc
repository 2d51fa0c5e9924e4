#include "gateway/internal/clock_text.h"

#include <fmt/chrono.h>

#include <chrono>
#include <cstdio>

namespace switchyard::gateway::internal {

std::string UtcNow() { return UtcText(std::chrono::system_clock::now()); }

std::string UtcText(std::chrono::system_clock::time_point now) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                     us.count() % 1'000'000);
}

std::optional<std::chrono::sys_time<std::chrono::microseconds>> ReadUtc(std::string_view text) {
  using namespace std::chrono;
  int year = 0;
  unsigned month = 0, day = 0;
  int hour = 0, minute = 0, second = 0, us = 0;
  const std::string whole(text);
  if (std::sscanf(whole.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d.%6dZ", &year, &month, &day, &hour,
                  &minute, &second, &us) != 7) {
    return std::nullopt;
  }
  const auto time =
      sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)) +
      hours(hour) + minutes(minute) + seconds(second) + microseconds(us);
  if (UtcText(time) != text) return std::nullopt;
  return time;
}

}  // namespace switchyard::gateway::internal
