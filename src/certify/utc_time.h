// Points in time as certificates write them: RFC 3339 in UTC to the second, "2026-11-22T09:30:00Z",
// and nothing else, so that one moment has one spelling. Pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::certify {

// Years 1970 to 9999; no leap seconds, which no clock here can tell.
base::Result<std::chrono::sys_seconds> ParseUtcTime(std::string_view text);

// `time` must lie in those years.
std::string FormatUtcTime(std::chrono::sys_seconds time);

}  // namespace switchyard::certify
