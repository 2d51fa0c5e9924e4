// A member as JSON: what it registers itself with, what a shared registry holds, what operators
// see.
#pragma once

#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "gateway/fleet.h"

namespace switchyard::gateway {

// Checked as CheckMember does; unknown keys are refused. `subject` names the text in errors.
base::Result<MemberConfig> ReadMember(std::string_view json, std::string_view subject);
// With the keys that the member is asked with.
base::Json MemberJson(const MemberConfig& member);

// What operators read as its state: ready, unknown, lost, draining, broken (by its breaker) or
// forbidden.
std::string_view ReachName(const Member& member, double now_s);

// For GET /switchyard/v1/fleet; without keys.
base::Json FleetJson(const Fleet& fleet);

}  // namespace switchyard::gateway
