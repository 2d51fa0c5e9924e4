#include "gateway/internal/clock_text.h"

#include <fmt/chrono.h>

#include <chrono>

namespace switchyard::gateway::internal {

std::string UtcNow() { return UtcText(std::chrono::system_clock::now()); }

std::string UtcText(std::chrono::system_clock::time_point now) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                     us.count() % 1'000'000);
}

}  // namespace switchyard::gateway::internal
