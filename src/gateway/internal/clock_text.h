// The time of day as logs write it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::gateway::internal {

// "2026-11-29T03:54:12.123456Z"
std::string UtcText(std::chrono::system_clock::time_point time);
std::string UtcNow();
// What UtcText wrote; none: it wrote nothing like it.
std::optional<std::chrono::sys_time<std::chrono::microseconds>> ReadUtc(std::string_view text);

}  // namespace switchyard::gateway::internal
