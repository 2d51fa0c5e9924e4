// What a member says to the gateway when it gives an unfinished answer back: an error, for clients
// that know no better, with all that another member needs to go on beside it. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/member_fields.h"

namespace switchyard::protocol {

struct HandBack {
  std::int64_t seed = 0;
  // The answer as it was given so far; as "resume" of the next request.
  Resume given;
};

// {"error":{…,"code":"switchyard_hand_back"},"switchyard":{"version":1,"seed":…,"hand_back":{…}}}
std::string HandBackBody(const HandBack& hand_back);
// The same as a server-sent event.
std::string HandBackEvent(const HandBack& hand_back);

inline constexpr int kHandBackStatus = 503;

}  // namespace switchyard::protocol
