// The time of day as logs write it.
#pragma once

#include <chrono>
#include <string>

namespace switchyard::gateway::internal {

// "2026-11-29T03:54:12.123456Z"
std::string UtcText(std::chrono::system_clock::time_point time);
std::string UtcNow();

}  // namespace switchyard::gateway::internal
