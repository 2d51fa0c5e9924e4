// The time of day as logs write it.
#pragma once

#include <string>

namespace switchyard::gateway::internal {

// "2026-11-29T03:54:12.123456Z"
std::string UtcNow();

}  // namespace switchyard::gateway::internal
