// What a member's word that it does not answer means: whose fault it is, and whether another one may
// do better. Pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/attempt.h"
#include "net/http_client.h"

namespace switchyard::gateway::internal {

struct MemberVerdict {
  // None: the request itself is wrong, everywhere alike, and the member works.
  std::optional<FailureCause> cause = {};
  std::string why = {};
  std::chrono::milliseconds retry_after{0};
};

bool IsEventStream(const net::CallHead& head);
// An answer with another status than 200.
MemberVerdict OfStatus(const net::CallHead& head, std::string_view body);
// An error in a stream, JSON.
MemberVerdict OfStreamError(std::string_view error);
// A call that came to no end. `has_token`: of its answer.
FailureCause OfFailure(const net::CallFailure& failure, bool has_token);

}  // namespace switchyard::gateway::internal
