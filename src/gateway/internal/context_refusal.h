// Whether a member refused a prompt because it is longer than its context. Pure.
#pragma once

#include <string_view>

namespace switchyard::gateway::internal {

// `body`: of its answer, or its error in a stream. OpenAI has a code for it; others only say it in
// words of their own.
bool IsTooLongForContext(std::string_view body);

}  // namespace switchyard::gateway::internal
